"""pipelines/system/command_line.py: how programs end if nobody reads their output."""

import os
import subprocess
import sys

import pytest

from pipelines.system import command_line


@pytest.mark.parametrize(
    "arguments",
    [
        ["iam_writer", "--help"],
        ["iam_writer", "gallery", "--help"],
        ["iam_writer.studies.results", "--helpfull"],
        ["pipelines.serve", "--help"],
    ],
)
def test_help_ends_without_a_message_if_its_reader_has_ended(arguments):
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-m", *arguments], stdout=writer, stderr=subprocess.PIPE, text=True
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (1, "")


def test_a_flagfile_that_is_no_text_is_told_in_a_sentence(tmp_path):
    (tmp_path / "x.flags").write_bytes(b"--seed=1\n\xff\n")
    with pytest.raises(SystemExit, match=r"A file that --flagfile names is not text in UTF-8: .*position 9"):
        command_line.parse_flags(["program", f"--flagfile={tmp_path / 'x.flags'}"])


def test_a_flag_with_a_very_long_name_is_told_in_a_sentence():
    """The fuzz found that absl ends in a RecursionError."""
    with pytest.raises(SystemExit, match="has a name of hundreds of letters"):
        command_line.parse_flags(["program", "--" + "a" * 5_000])
