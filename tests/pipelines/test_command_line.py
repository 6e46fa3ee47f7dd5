"""pipelines/system/command_line.py: how programs end if nobody reads their output."""

import os
import subprocess
import sys

import pytest


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
