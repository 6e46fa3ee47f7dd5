"""What TensorFlow prints when it is loaded. Each test loads TensorFlow in a new process."""

import os
import subprocess
import sys

import pytest

QUIET = "from pipelines.system.quiet import load_tensorflow_quietly; load_tensorflow_quietly(); "


def stderr(code):
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TF_CPP")}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stderr


@pytest.mark.slow  # It loads TensorFlow anew.
def test_tensorflow_is_loaded_without_a_line_and_stderr_works_after():
    code = (
        "import sys, tensorflow as tf; tf.ones(3); assert tf.__spec__.origin; print('ours', file=sys.stderr)"
    )
    assert stderr(QUIET + code) == "ours\n"


def test_what_is_not_noise_is_written(tmp_path):
    (tmp_path / "tensorflow.py").write_text(
        "import os, types\n"
        "config = types.SimpleNamespace(list_physical_devices=lambda: os.write(2, b'I0000 00:00:1.2 3 "
        "cudart_stub.cc:31] Could not find cuda drivers on your machine\\n'))\n"
        "os.write(2, b'E0000 00:00:1.2 3 cuda_platform.cc:52] failed call to cuInit: CUDA_ERROR_UNKNOWN\\n')\n"
    )
    said = stderr(QUIET + f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import tensorflow")
    assert said == "E0000 00:00:1.2 3 cuda_platform.cc:52] failed call to cuInit: CUDA_ERROR_UNKNOWN\n"


def test_an_error_while_it_is_loaded_is_written(tmp_path):
    (tmp_path / "tensorflow.py").write_text("import os\nos.write(2, b'before\\n')\nraise OSError('broken')\n")
    code = "import sys; sys.path.insert(0, {!r})\ntry:\n  import tensorflow\nexcept OSError as error:\n  print(error, file=sys.stderr)"
    assert stderr(QUIET + code.format(str(tmp_path))) == "before\nbroken\n"
