"""A small training run, and what its checkpoints hold."""

import io
import pathlib
import zipfile

import h5py
import numpy as np

from iam_writer.training.settings import Settings

SETTINGS = Settings(
    num_writers=3,
    forms_per_writer=3,
    lines_per_form=1,
    patch_height=32,
    patch_width=40,
    patch_fraction=0.1,
    batch_size=16,
    seed=1,
    epochs=2,
    validation_stride=16,
    fuse="none",
    workdir="",
)


def flagfile(settings):
    """Writes the settings into a file and returns the argument --flagfile for this file."""
    workdir = pathlib.Path(settings.workdir)
    workdir.mkdir(parents=True, exist_ok=True)
    path = workdir.parent / f"{workdir.name}.flags"
    path.write_text(settings.as_flags())
    return f"--flagfile={path}"


def weights(path):
    """Every number of the model and the optimizer in a checkpoint.

    The states of random generators are left out. A wrong state would change the weights of later steps.
    """
    found = {}
    with zipfile.ZipFile(path) as archive, h5py.File(io.BytesIO(archive.read("model.weights.h5"))) as file:
        file.visititems(
            lambda name, item: found.update({name: item[()]}) if isinstance(item, h5py.Dataset) else None
        )
    return found


def same_weights(left, right):
    left, right = weights(left), weights(right)
    assert any("optimizer" in name for name in left)
    return left.keys() == right.keys() and all(np.array_equal(left[name], right[name]) for name in left)
