"""Programs in processes of their own that need not load TensorFlow: each is a fork of one that has, and did no more."""

import multiprocessing
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

context = multiprocessing.get_context("forkserver")
# Nothing of this project: what a program imports of it is a part of what is tested.
context.set_forkserver_preload(["pytest", "absl.app", "PIL.Image", "cv2", "tensorflow", "keras"])

PROGRAM = "import runpy, sys; runpy.run_module(sys.argv.pop(1), run_name='__main__', alter_sys=True)"
"""With a module's name for first argument: `python -m <module> <arguments>`."""

WITHOUT_TENSORFLOW = """
import sys
class NoTensorFlow:
    def find_spec(self, name, path=None, target=None):
        assert name not in ('tensorflow', 'keras'), 'TensorFlow was imported'
sys.meta_path.insert(0, NoTensorFlow())
# And absl, which would tell TensorFlow when it has read the flags.
for name in [name for name in sys.modules if name.partition('.')[0] in ('tensorflow', 'keras', 'absl')]:
    del sys.modules[name]
"""
"""To be put before code where TensorFlow must not be needed: an assertion fails if it is imported."""


class Fork(context.Process):
    """`python -c <code> <arguments>`, with more in its environment. It has begun; `wait` for it."""

    def __init__(self, code: str, *arguments, **environment):
        super().__init__(daemon=True)  # It ends with the tests, should one fail before it has waited.
        self.code, self.arguments, self.environment = code, [*map(str, arguments)], environment
        self.folder = pathlib.Path(tempfile.mkdtemp())
        self.start()

    def run(self) -> None:
        self.daemon = False  # Which may not have processes of its own.
        for number, name in ((1, "stdout"), (2, "stderr")):
            os.dup2(os.open(self.folder / name, os.O_WRONLY | os.O_CREAT), number)
        sys.stdout.reconfigure(line_buffering=True)  # For `said`.
        os.environ |= self.environment
        sys.argv = ["-c", *self.arguments]
        sys.orig_argv = [sys.executable, *sys.argv]
        exec(self.code, {"__name__": "__main__"})

    def said(self, where: str = "stdout") -> str:
        """What it has printed so far."""
        path = self.folder / where
        return path.read_text() if path.exists() else ""

    def wait(self, timeout: float = 300) -> subprocess.CompletedProcess:
        """What `subprocess.run` returns. The program is killed if it takes longer."""
        self.join(timeout)
        if late := self.is_alive():
            self.kill()
            self.join()
        said = self.said("stdout"), self.said("stderr")
        shutil.rmtree(self.folder)
        if late:
            raise subprocess.TimeoutExpired(self.arguments, timeout, *said)
        return subprocess.CompletedProcess(self.arguments, self.exitcode, *said)
