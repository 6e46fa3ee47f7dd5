"""The dataset in the tools that people use: PyTorch, Grain, tfds.show_examples. Runs the code of README and docs/pipeline.md."""

import pathlib
import re

import numpy as np
import pytest
import tensorflow_datasets as tfds
from conftest import SMALL_IAM, scribble, write_iam

from iam_writer.common.errors import MissingDataError
from iam_writer.iam_writer_dataset_builder import prepare, synthetic_config

ROOT = pathlib.Path(__file__).parent.parent


def code(word: str, page: str = "docs/pipeline.md") -> str:
    """The block of Python on a page that contains a word. There must be one such block."""
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(), re.DOTALL)
    [block] = [block for block in blocks if word in block]
    return block


def ended(block: str) -> str:
    """The block of code, changed so that its endless loop ends after one batch."""
    assert block.count("    ...  #") == 1
    return block.replace("    ...  #", "    break  #")


@pytest.fixture(scope="module")
def iam(tmp_path_factory):
    return write_iam(tmp_path_factory.mktemp("source") / "iam", SMALL_IAM)


@pytest.fixture
def namespace(iam):
    """The variables after the block that makes a data source: the train split, nine lines of three writers."""
    block = code("tfds.data_source(")
    for place, folder in (("/home/me/iam", iam), ("/home/me/array_records", iam.parent / "arrays")):
        assert block.count(f'"{place}"') == 1
        block = block.replace(place, str(folder))
    names = {}
    exec(block, names)
    return names


def test_any_line_can_be_read_at_once(namespace):
    lines = namespace["lines"]
    assert len(lines) == 9
    for i in (8, 0, 4):
        row = lines[i]
        id = row["id"].decode()
        assert row["image"].shape == (20, 60, 1) and row["image"].dtype == np.uint8
        assert np.array_equal(row["image"][..., 0], scribble(id))
        assert row["writer"] == int(SMALL_IAM[row["form"].decode()])


class Squares(tfds.core.GeneratorBasedBuilder):
    """A dataset of images and labels, and nothing else."""

    VERSION = tfds.core.Version("1.0.0")

    def _info(self):
        features = {
            "image": tfds.features.Image(shape=(None, None, 1)),
            "label": tfds.features.ClassLabel(num_classes=2),
        }
        return tfds.core.DatasetInfo(builder=self, features=tfds.features.FeaturesDict(features))

    def _split_generators(self, dl_manager):
        return {"train": self._generate_examples()}

    def _generate_examples(self):
        for i in range(4):
            yield i, {"image": np.full((113, 120, 1), 100 * (i % 2), np.uint8), "label": i % 2}


@pytest.mark.slow
def test_the_ten_lines_of_the_readme(tmp_path):
    block = code("strips_of_split", "README.md")
    assert len([line for line in block.splitlines() if line.strip()]) <= 10
    place = 'tfds.builder("iam_writer/synthetic")'
    assert block.count(place) == 1
    config = synthetic_config(num_writers=3, forms_per_writer=3, lines_per_form=2)
    names = {"config": config, "folder": tmp_path}
    exec(
        ended(block).replace(place, 'tfds.builder("iam_writer", config=config, data_dir=folder)'),
        names,
    )
    images, writers = names["images"].numpy(), names["writers"].numpy()
    assert images.shape == (256, 113, 113) and images.dtype == np.uint8
    assert writers.shape == (256,) and writers.dtype == np.int32
    assert set(writers) == {0, 1, 2}
    assert (
        len(names["strips"]) == 3 * 2
    )  # One of each writer's three pages is in `strips`, and it has two lines.


def test_patches_of_another_dataset(tmp_path):
    builder = Squares(data_dir=tmp_path)
    builder.download_and_prepare()
    names = {"builder": builder}
    exec(ended(code("strips_of_split")), names)
    images, labels = names["images"].numpy(), names["labels"].numpy()
    assert images.shape == (256, 113, 113) and set(labels) == {0, 1}
    assert (images == 100 * labels[:, None, None]).all()


@pytest.mark.slow
def test_pytorch_as_the_guide_has_it(namespace):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install '.[peers]'")
    exec(code("import torch"), namespace)
    images, writers = namespace["images"], namespace["writers"]
    assert sorted(writers.tolist()) == [0] * 3 + [1] * 3 + [2] * 3 and writers.dtype == torch.int64
    assert all(image.shape == (20, 60, 1) and image.dtype == torch.uint8 for image in images)
    # Forked workers would share the files that C++ code has open.
    loader = torch.utils.data.DataLoader(
        namespace["lines"], batch_size=5, num_workers=1, collate_fn=list, multiprocessing_context="spawn"
    )
    assert [row["id"] for rows in loader for row in rows] == [row["id"] for row in namespace["lines"]]


def test_grain_as_the_guide_has_it(namespace):
    pytest.importorskip("grain", reason="Grain is not installed: pip install '.[peers]'")
    exec(code("import grain"), namespace)
    rows = namespace["rows"]
    assert {row["id"] for row in rows} == {row["id"] for row in namespace["lines"]}
    assert [row["id"] for row in rows] != [row["id"] for row in namespace["lines"]]


def test_array_records_in_the_place_of_training_are_told(namespace, iam):
    with pytest.raises(MissingDataError, match=r"array_record, which tf.data cannot read.* --data_dir"):
        prepare("top50", data_dir=iam.parent / "arrays", manual_dir=iam)


def test_show_examples_draws_lines_with_their_writers(iam, tmp_path):
    matplotlib = pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    matplotlib.use("agg")
    builder = prepare("top50", data_dir=tmp_path / "tfds", manual_dir=iam)
    figure = tfds.show_examples(builder.as_dataset(split="train"), builder.info, rows=3, cols=3)
    assert len(figure.axes) == 9
    assert {axes.get_xlabel() for axes in figure.axes} == {"000 (0)", "001 (1)", "002 (2)"}
    assert all(axes.images[0].get_array().shape == (20, 60) for axes in figure.axes)
