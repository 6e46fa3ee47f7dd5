"""pipelines/serve.py: what the program prints."""

import subprocess
import sys

import pytest


@pytest.mark.slow
def test_a_dispatcher_prints_its_address_and_nothing_else():
    command = [sys.executable, "-m", "pipelines.serve", "--role=dispatcher"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        line = process.stdout.readline()
        process.terminate()
        rest, said = process.communicate()
    assert line.startswith("tf.data service: dispatcher at grpc://"), said
    assert not rest and not said
