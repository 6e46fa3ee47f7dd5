"""pipelines/strips.py: images in, columns out; and nothing but whole, sound files is ever used."""

import concurrent.futures
import os
import zipfile

import numpy as np
import pytest
import tensorflow_datasets as tfds
from conftest import png
from forks import Fork

from iam_writer.iam_writer_dataset_builder import Builder
from pipelines.building import builder, journal, laying
from pipelines.building.examples import only_feature
from pipelines.strips import Example, lay, open_or_build, strips_of_split


def pixels(rows):
    return np.array(rows, np.uint8)


@pytest.mark.parametrize(
    ("image", "height", "min_width", "expected"),
    [
        # Columns come out as rows.
        ([[1, 2, 3], [4, 5, 6]], 2, 1, [[1, 4], [2, 5], [3, 6]]),
        # Narrower than a patch: padded on the right with the median, which is the paper.
        ([[9, 7], [9, 9]], 2, 4, [[9, 9], [7, 9], [9, 9], [9, 9]]),
        # Half the height: half the width.
        ([[8, 8, 4, 4], [8, 8, 4, 4]], 1, 1, [[7], [5]]),
    ],
)
def test_lay(image, height, min_width, expected):
    assert np.abs(lay(png(pixels(image)), height, min_width).astype(int) - expected).max() <= 1


def test_an_image_of_one_row_is_not_blown_up():
    columns = lay(png(np.full((1, 1000), 200, np.uint8)), height=113, min_width=113)
    assert columns.shape == (1000 * laying.MAX_ENLARGEMENT, 113)
    assert (columns == 200).all()


def test_black_on_white(tmp_path):
    """Before it is scaled; and strips that are laid the other way are built anew."""
    gray, expected = (
        pixels([[60, 230, 60, 60], [60, 230, 225, 228]]),
        [[0, 0], [255, 255], [0, 255], [0, 255]],
    )
    assert lay(png(gray), 2, 1, black_on_white=True).tolist() == expected
    for black_on_white, columns in ((False, gray.T.tolist()), (True, expected)):
        laid = open_or_build(
            tmp_path / "train",
            lambda: [Example(png(gray), 0)],
            height=2,
            min_width=1,
            source="",
            black_on_white=black_on_white,
        )
        first, last = laid.first_column
        assert laid.columns().numpy()[first:last].tolist() == columns


def test_columns_of_all_images_lie_end_to_end(make_strips):
    laid = make_strips([3, 5, 2], [7, 7, 1])
    assert laid.first_column.tolist() == [64, 67, 72, 74]
    assert laid.labels.tolist() == [7, 7, 1]
    assert laid.ids.tolist() == ["image0", "image1", "image2"]
    assert laid.groups.tolist() == ["form7", "form7", "form1"]
    columns = laid.columns().numpy()
    assert columns[64:74].tolist() == [[c] * 4 for c in range(64, 74)]
    assert (columns[:64] == builder.PAPER).all() and (columns[74:] == builder.PAPER).all()


@pytest.mark.slow
def test_neither_columns_nor_batches_nor_windows_take_a_copy_of_the_file(tmp_path):
    image = png(np.zeros((100, 160_000), np.uint8))
    arguments = {"height": 100, "min_width": 100, "source": ""}
    laid = open_or_build(tmp_path / "train", lambda: [Example(image, k) for k in range(8)], **arguments)
    size = (laid.folder / "columns").stat().st_size
    assert size > 128e6
    code = f"""
import re
from pipelines import patches, strips, windows

def anonymous_bytes():
    return int(re.search(r"RssAnon:\\s*(\\d+)", open("/proc/self/status").read())[1]) * 1024

laid = strips.open_or_build({str(tmp_path / "train")!r}, None, **{arguments})
before = anonymous_bytes()
batches = iter(patches.patches(laid, patch_width=100, batch_size=8, seed=0))
next(batches)
scanned = iter(windows.windows(laid, window_width=100, batch_size=8, stride=1000)[0])
next(scanned)
print("added", anonymous_bytes() - before)
"""
    done = Fork(code).wait()
    assert done.returncode == 0, done.stderr
    # TensorFlow itself takes some 15 MB for its threads.
    assert int(done.stdout.split()[-1]) < size / 2


@pytest.mark.parametrize("height", [1, 4, 113])
@pytest.mark.parametrize("row_width", [1, 3, 9])
def test_rows_are_a_view_of_the_columns_from_any_phase(tmp_path, height, row_width):
    images = [
        Example(png(np.random.default_rng(k).integers(0, 255, (height, 50 + k), np.uint8)), k)
        for k in range(3)
    ]
    laid = open_or_build(tmp_path / "train", lambda: images, height=height, min_width=9, source="")
    columns = laid.columns()
    for column in (*range(laid.first_column[0], laid.first_column[0] + 9), laid.first_column[-1] - row_width):
        rows, begin = laid.rows(columns, row_width, np.int64(column))
        # Views begin and end at multiples of ALIGNMENT, or TensorFlow would copy all of it for each batch.
        assert int(begin) * height % journal.ALIGNMENT == rows.numpy().size % journal.ALIGNMENT == 0
        row, rest = divmod(column - int(begin), row_width)
        assert rest == 0
        assert np.array_equal(rows[row], columns[column : column + row_width].numpy().ravel())


def build(folder, calls, source="a", height=2, min_width=1):
    def examples():
        calls.append(source)
        return [Example(png(pixels([[1, 2, 3], [4, 5, 6]])), 0), Example(png(pixels([[7], [8]])), 1)]

    return open_or_build(folder, examples, height=height, min_width=min_width, source=source)


def damage_a_byte(folder):
    data = bytearray((folder / "columns").read_bytes())
    data[3] ^= 255
    (folder / "columns").write_bytes(data)
    os.utime(folder / "columns", ns=(1, 1))


def with_array(**changes):
    """Changes arrays of the index. The file stays a sound npz file."""

    def change(folder):
        with np.load(folder / "index.npz") as arrays:
            kept = {name: arrays[name] for name in arrays.files}
        np.savez(folder / "index.npz", **kept | changes)

    return change


def huge_array(folder):
    """The header of an array promises terabytes."""
    with zipfile.ZipFile(folder / "index.npz") as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    promise = members["labels.npy"].replace(b"'shape': (", b"'shape': (99999999999, ")
    members["labels.npy"] = promise.replace(b" " * 13, b"", 1)
    with zipfile.ZipFile(folder / "index.npz", "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)


@pytest.mark.parametrize(
    ("what_happens", "built_again"),
    [
        (lambda folder: None, False),
        (lambda folder: os.utime(folder / "columns", ns=(1, 1)), False),  # Touched, but the bytes are right.
        (damage_a_byte, True),
        (lambda folder: os.truncate(folder / "columns", 5), True),
        (lambda folder: (folder / "columns").unlink(), True),
        (lambda folder: (folder / "index.npz").unlink(), True),
        (lambda folder: os.truncate(folder / "index.npz", 50), True),
        (lambda folder: (folder / "index.npz").write_bytes(b"nonsense"), True),
        # Found by the fuzz.
        (huge_array, True),
        (with_array(labels=np.array([5, 5], np.int32)), True),
        (with_array(meta=np.array("[]")), True),
    ],
)
def test_only_sound_strips_are_used_again(tmp_path, what_happens, built_again):
    calls, folder = [], tmp_path / "train"
    before = build(folder, calls).columns().numpy().copy()
    what_happens(folder)
    after = build(folder, calls)
    assert len(calls) == 1 + built_again
    assert np.array_equal(after.columns(), before)


@pytest.mark.parametrize("change", [{"source": "b"}, {"height": 1}, {"min_width": 3}])
def test_strips_of_something_else_are_built_anew(tmp_path, change):
    calls = []
    build(tmp_path / "train", calls)
    build(tmp_path / "train", calls, **change)
    assert len(calls) == 2


def test_strips_of_another_version_are_built_anew(tmp_path, monkeypatch):
    calls = []
    build(tmp_path / "train", calls)
    monkeypatch.setattr(journal, "VERSION", journal.VERSION + 1)
    build(tmp_path / "train", calls)
    assert len(calls) == 2


def test_what_a_killed_program_left_is_removed(tmp_path):
    left = tmp_path / "train.incomplete"
    left.mkdir()
    (left / "columns").write_bytes(b"half")
    build(tmp_path / "train", [])
    assert not left.exists()


@pytest.mark.parametrize(
    ("source", "damage", "laid_again"),
    [
        ("a", lambda left: None, 3),  # Seven of ten images were laid.
        ("a", lambda left: (left / "columns").write_bytes(b"short"), 10),
        ("a", lambda left: (left / "written.npz").write_bytes(b"nonsense"), 10),
        ("a", lambda left: damage_a_byte(left), 10),  # Found by the fuzz: other columns were taken for whole.
        ("b", lambda left: None, 10),  # The images that were left belong to other strips.
    ],
)
def test_what_a_killed_program_has_laid_is_not_laid_again(tmp_path, monkeypatch, source, damage, laid_again):
    images = [png(np.random.default_rng(k).integers(0, 255, (2, 3 + k), np.uint8)) for k in range(10)]
    seen = []

    def lay(image, height, min_width):
        seen.append(image)
        return strips_lay(image, height, min_width)

    def build(folder, source, killed_after=None):
        def examples():
            for k, image in enumerate(images):
                if k == killed_after:
                    raise KeyboardInterrupt
                yield Example(image, k, f"image{k}", f"form{k}")

        seen.clear()
        return open_or_build(folder, examples, height=2, min_width=1, source=source)

    strips_lay = builder.lay
    monkeypatch.setattr(builder, "JOURNAL_SECONDS", 0)
    monkeypatch.setattr(
        builder, "_lay_in_parallel", lambda examples, meta: ((e, lay(e.image, 2, 1)) for e in examples)
    )
    with pytest.raises(KeyboardInterrupt):
        build(tmp_path / "train", "a", killed_after=7)
    damage(tmp_path / "train.incomplete")
    resumed = build(tmp_path / "train", source)
    assert len(seen) == laid_again
    whole = build(tmp_path / "whole", source)
    assert resumed.ids.tolist() == whole.ids.tolist() == [f"image{k}" for k in range(10)]
    assert resumed.first_column.tolist() == whole.first_column.tolist()
    assert (tmp_path / "train/columns").read_bytes() == (tmp_path / "whole/columns").read_bytes()
    assert sorted(path.name for path in (tmp_path / "train").iterdir()) == ["columns", "index.npz"]
    os.utime(tmp_path / "train/columns", ns=(1, 1))  # So that the checksum is looked at.
    build(tmp_path / "train", source)
    assert not seen


def test_an_error_while_building_leaves_nothing(tmp_path):
    def examples():
        yield Example(png(pixels([[1]])), 0)
        raise OSError("No space left on device")

    with pytest.raises(OSError, match="No space"):
        open_or_build(tmp_path / "train", examples, height=2, min_width=1, source="a")
    assert [path.name for path in tmp_path.iterdir()] == ["train.lock"]


def test_two_that_build_the_same_both_succeed(tmp_path):
    calls = []
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        built = list(pool.map(lambda _: build(tmp_path / "train", calls), range(4)))
    assert len(calls) == 1
    assert all(np.array_equal(one.columns(), built[0].columns()) for one in built)


def other_dataset(folder, **more):
    """A prepared dataset whose features have names of their own."""
    features = {
        "scan": tfds.features.Image(shape=(None, None, 1), encoding_format="png"),
        "hand": tfds.features.ClassLabel(names=["a", "b"]),
    } | more
    return tfds.dataset_builders.store_as_tfds_dataset(
        name="other",
        version="1.0.0",
        features=tfds.features.FeaturesDict(features),
        split_datasets={
            "train": [
                (k, {"scan": np.full((4, 5, 1), 9 + k, np.uint8), "hand": k} | dict.fromkeys(more, 0))
                for k in range(2)
            ]
        },
        data_dir=str(folder),
    )


def test_the_only_image_and_the_only_label_of_a_dataset_are_found(tmp_path):
    laid = strips_of_split(other_dataset(tmp_path), "train", height=4, min_width=5)
    assert sorted(laid.labels.tolist()) == [0, 1]
    assert sorted(laid.columns().numpy()[laid.first_column[:-1], 0].tolist()) == [9, 10]


def test_the_features_of_our_own_dataset_are_found(tmp_path):
    info = Builder(config="synthetic", data_dir=tmp_path).info
    assert only_feature(info, tfds.features.Image, "image") == "image"
    assert only_feature(info, tfds.features.ClassLabel, "label") == "writer"


def test_two_labels_must_be_named(tmp_path):
    dataset = other_dataset(tmp_path, page=tfds.features.ClassLabel(num_classes=1))
    with pytest.raises(ValueError, match=r"2 features of this kind \(hand, page\).* by label="):
        strips_of_split(dataset, "train", height=4, min_width=5)
    assert strips_of_split(dataset, "train", height=4, min_width=5, label="page").labels.tolist() == [0, 0]
    with pytest.raises(ValueError, match="no such feature"):
        only_feature(dataset.info, tfds.features.Audio, "image")
