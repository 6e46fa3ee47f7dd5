"""Runs programs in separate processes without loading TensorFlow again.

Each process is a fork of a server process that has loaded TensorFlow and done nothing else.
"""

import multiprocessing
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

context = multiprocessing.get_context("forkserver")
# No module of this project is preloaded, because tests check what a program imports.
context.set_forkserver_preload(["pytest", "absl.app", "PIL.Image", "cv2", "tensorflow", "keras"])

PROGRAM = "import runpy, sys; runpy.run_module(sys.argv.pop(1), run_name='__main__', alter_sys=True)"
"""Code that runs `python -m <module> <arguments>`. The first argument is the name of the module."""

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
"""Code to put before other code that must not import TensorFlow: the import then fails an assertion."""


class Fork(context.Process):
    """A running `python -c <code> <arguments>` with additional environment variables. Call `wait` to wait for its end."""

    def __init__(self, code: str, *arguments, **environment):
        super().__init__(
            daemon=True
        )  # The process ends with the tests if a test fails before it calls `wait`.
        self.code, self.arguments, self.environment = code, [*map(str, arguments)], environment
        self.folder = pathlib.Path(tempfile.mkdtemp())
        self.start()

    def run(self) -> None:
        self.daemon = False  # A daemon may not start processes.
        for number, name in ((1, "stdout"), (2, "stderr")):
            os.dup2(os.open(self.folder / name, os.O_WRONLY | os.O_CREAT), number)
        sys.stdout.reconfigure(line_buffering=True)  # So that `said` sees each line at once.
        os.environ |= self.environment
        sys.argv = ["-c", *self.arguments]
        sys.orig_argv = [sys.executable, *sys.argv]
        exec(self.code, {"__name__": "__main__"})

    def said(self, where: str = "stdout") -> str:
        """What the program has printed so far."""
        path = self.folder / where
        return path.read_text() if path.exists() else ""

    def wait(self, timeout: float = 300) -> subprocess.CompletedProcess:
        """Waits for the end and returns what `subprocess.run` returns. Kills the program after `timeout` seconds."""
        self.join(timeout)
        if late := self.is_alive():
            self.kill()
            self.join()
        said = self.said("stdout"), self.said("stderr")
        shutil.rmtree(self.folder)
        if late:
            raise subprocess.TimeoutExpired(self.arguments, timeout, *said)
        return subprocess.CompletedProcess(self.arguments, self.exitcode, *said)
