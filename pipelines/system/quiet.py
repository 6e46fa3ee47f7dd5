"""Keeps the lines that TensorFlow writes to stderr when it is loaded out of a program's output."""

import importlib.abc
import importlib.machinery
import os
import re
import sys
import tempfile
import types
from collections.abc import Sequence

_NOISE = re.compile(
    rb"WARNING: All log messages before absl::InitializeLog\(\) is called are written to STDERR"
    rb"|I\d{4} .* port\.cc:\d+\] oneDNN custom operations are on\."
    rb"|I\d{4} .* cudart_stub\.cc:\d+\] Could not find cuda drivers"
    rb"|I\d{4} .* cpu_feature_guard\.cc:\d+\] This TensorFlow binary is optimized"
    rb"|To enable the following instructions: "
    rb"|E\d{4} .* cuda_platform\.cc:\d+\] failed call to cuInit: .*(UNKNOWN ERROR \(303\)|CUDA_ERROR_NO_DEVICE)"
)
"""How the lines begin that tell a person nothing: how TensorFlow was built, and that there is no GPU."""


def load_tensorflow_quietly() -> None:
    """From now on, loading TensorFlow writes none of the lines in `_NOISE`. All other lines are written.

    TensorFlow 2.21 heeds TF_CPP_MIN_LOG_LEVEL for a part of its messages only. The others leave by absl's C++ logging,
    whose level Python cannot set. So stderr goes to a file while TensorFlow is loaded, and from there to its place.
    """
    if "tensorflow" not in sys.modules and not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
        sys.meta_path.insert(sys.meta_path.index(importlib.machinery.PathFinder), _Finder())


class _Finder(importlib.abc.MetaPathFinder):
    """Finds TensorFlow once, as Python does, with a loader that holds stderr back."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: types.ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != "tensorflow":
            return None
        sys.meta_path.remove(self)
        spec = importlib.machinery.PathFinder.find_spec(fullname, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = _Loader(spec.loader)
        return spec


class _Loader(importlib.abc.Loader):
    def __init__(self, loader: importlib.abc.Loader) -> None:
        self._loader = loader

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> types.ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: types.ModuleType) -> None:
        # What the module says of itself must not depend on this detour.
        module.__loader__ = self._loader
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        sys.stderr.flush()
        with tempfile.TemporaryFile() as held:
            stderr = os.dup(2)
            os.dup2(held.fileno(), 2)
            try:
                self._loader.exec_module(module)
                module.config.list_physical_devices()  # Else it looks for GPUs, and complains, at its first tensor.
            finally:
                sys.stderr.flush()
                os.dup2(stderr, 2)
                os.close(stderr)
                held.seek(0)
                for line in held:
                    if not _NOISE.match(line):
                        os.write(2, line)
