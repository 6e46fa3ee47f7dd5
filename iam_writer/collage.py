"""This program is now `iam_writer.studies.collage`."""

from iam_writer.common import moved

if __name__ == "__main__":
    moved.to("iam_writer.studies.collage")
