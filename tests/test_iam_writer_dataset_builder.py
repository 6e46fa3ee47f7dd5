"""The TFDS dataset: it holds what is on disk, divided into splits as documented, or there is one clear error."""

import errno
import itertools
import pathlib
import pickle
import shutil
import tempfile

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds
from conftest import SMALL_IAM, png, scribble, write_iam
from handwriting_pages import written_page

import iam_writer
from iam_writer import iam_writer_dataset_builder
from iam_writer.common import errors
from iam_writer.handwriting.folder import HandwritingFolder
from iam_writer.handwriting.iam_database import IamDatabase
from iam_writer.handwriting.synthetic import SyntheticHandwriting
from iam_writer.iam_writer_dataset_builder import BAD_IMAGES_FILE, WriterConfig, prepare, synthetic_config

SPLITS = ("train", "validation", "test")


class IamTest(tfds.testing.DatasetBuilderTestCase):
    """TFDS's own checks on a small IAM: writer 000 has one form, 001 two, 002 three, of three lines each."""

    DATASET_CLASS = iam_writer.Builder
    BUILDER_CONFIG_NAMES_TO_TEST = ("top50",)
    SPLITS = {"train": 3 + 3 + 3, "validation": 3, "test": 3 + 3}  # noqa: RUF012
    MOCK_OUT_FORBIDDEN_OS_FUNCTIONS = False

    @classmethod
    def setUpClass(cls):
        cls._folder = tempfile.TemporaryDirectory()
        cls.EXAMPLE_DIR = write_iam(tfds.core.Path(cls._folder.name) / "iam", SMALL_IAM)
        super().setUpClass()

    @classmethod
    def tearDownClass(cls):
        super().tearDownClass()
        cls._folder.cleanup()


@pytest.fixture
def small_iam(tmp_path):
    return write_iam(tmp_path / "iam", SMALL_IAM)


def rows(builder, split):
    return list(tfds.as_numpy(builder.as_dataset(split=split)))


def forms_by_split(builder):
    return {split: {row["form"].decode() for row in rows(builder, split)} for split in SPLITS}


def test_an_example_is_what_lies_on_disk(tmp_path, small_iam):
    builder = prepare("top50", data_dir=tmp_path / "tfds", manual_dir=small_iam)
    names = builder.info.features["writer"].names
    assert names == ["000", "001", "002"]
    seen = [row for split in SPLITS for row in rows(builder, split)]
    assert len(seen) == 18
    for row in seen:
        id = row["id"].decode()
        assert np.array_equal(row["image"][..., 0], scribble(id))
        assert row["form"].decode() == id[:7]
        assert names[row["writer"]] == SMALL_IAM[id[:7]]
        assert row["text"].decode() == "A MOVE to stop"


def test_lines_by_choice(tmp_path):
    folder = write_iam(tmp_path / "iam", SMALL_IAM, unit="lines")
    builder = prepare("top50_lines", data_dir=tmp_path / "tfds", manual_dir=folder)
    assert {row["id"].decode()[:9] for row in rows(builder, "validation")} <= {
        f"{form}-0" for form in SMALL_IAM
    }


@pytest.mark.parametrize(
    ("config", "writers"), [("top50", 3), ("writers301", 2), ("folder", 3), ("synthetic", 3)]
)
def test_no_form_is_in_two_splits(tmp_path, small_iam, config, writers):
    manual_dir = small_iam
    if config == "folder":
        manual_dir = tmp_path / "scans"
        for writer, form in itertools.product("abc", "1234"):
            path = manual_dir / writer / f"page{form}-00.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(png(scribble(writer + form)))
    if config == "synthetic":
        config = synthetic_config(num_writers=3, forms_per_writer=3, lines_per_form=1)
    builder = prepare(config, data_dir=tmp_path / "tfds", manual_dir=manual_dir)
    forms = forms_by_split(builder)
    assert len(builder.info.features["writer"].names) == writers
    assert all(forms.values())
    assert not any(forms[a] & forms[b] for a, b in itertools.combinations(SPLITS, 2))


def test_only_writers657_divides_a_form_and_only_where_a_writer_has_no_other(tmp_path):
    folder = write_iam(tmp_path / "iam", SMALL_IAM, lines=6)
    builder = prepare("writers657", data_dir=tmp_path / "tfds", manual_dir=folder)
    forms = forms_by_split(builder)
    shared = set.union(*(forms[a] & forms[b] for a, b in itertools.combinations(SPLITS, 2)))
    assert shared == {"a00-000"}


def test_splits_by_image_do_share_forms(tmp_path):
    folder = write_iam(tmp_path / "iam", SMALL_IAM, lines=12)
    forms = forms_by_split(prepare("top50_by_image", data_dir=tmp_path / "tfds", manual_dir=folder))
    assert forms["train"] & forms["test"]


@pytest.mark.iam
@pytest.mark.slow
@pytest.mark.parametrize("config", ["top50", "writers301", "writers657"])
def test_no_real_form_is_in_two_splits(tmp_path, iam_dir, config):
    builder = prepare(config, data_dir=tmp_path, manual_dir=iam_dir)
    skip_images = {"image": tfds.decode.SkipDecoding()}
    writers_of = {split: {} for split in SPLITS}
    forms_of_writer = {}
    for split in SPLITS:
        for row in tfds.as_numpy(builder.as_dataset(split=split, decoders=skip_images)):
            writers_of[split][row["form"]] = row["writer"]
            forms_of_writer.setdefault(row["writer"], set()).add(row["form"])
    for a, b in itertools.combinations(SPLITS, 2):
        shared = set(writers_of[a]) & set(writers_of[b])
        if config == "writers657":  # The lines of writers with a single form are divided.
            shared = {form for form in shared if len(forms_of_writer[writers_of[a][form]]) > 1}
        assert not shared


@pytest.mark.slow
def test_the_parts_do_not_depend_on_the_order_of_files_or_on_what_else_is_there(tmp_path):
    forms = dict(reversed(SMALL_IAM.items()))
    one = prepare("top50", data_dir=tmp_path / "a", manual_dir=write_iam(tmp_path / "one", SMALL_IAM))
    other = prepare("top50", data_dir=tmp_path / "b", manual_dir=write_iam(tmp_path / "other", forms))
    assert forms_by_split(one) == forms_by_split(other)


def test_tfds_load_gives_the_same(tmp_path, small_iam):
    builder = prepare("top50", data_dir=tmp_path, manual_dir=small_iam)
    loaded = tfds.load("iam_writer/top50", data_dir=tmp_path, split="test", download=False)
    assert [row["id"] for row in tfds.as_numpy(loaded)] == [row["id"] for row in rows(builder, "test")]


def test_it_says_what_was_found_and_expected(tmp_path, small_iam, caplog):
    (small_iam / "sentences/a02/a02-001/a02-001-s00-02.png").unlink()
    with caplog.at_level("INFO"):
        prepare("top50", data_dir=tmp_path / "tfds", manual_dir=small_iam)
    assert (
        "promises 18 images of 3 writers on 6 forms. The files hold 17 images of 3 writers on 6 forms."
        in caplog.text
    )


@pytest.mark.slow
def test_a_folder_may_gain_lose_and_rename_writers_and_pages(tmp_path, caplog):
    scans = tmp_path / "scans"

    def add(writer):
        (scans / writer).mkdir(parents=True)
        for page in "1234":
            (scans / writer / f"page{page}-00.png").write_bytes(png(scribble(writer + page)))

    def writers():
        builder = prepare("folder", data_dir=tmp_path / "tfds", manual_dir=scans)
        names = builder.info.features["writer"].names
        written = {
            (names[row["writer"]], row["form"].decode().split("/")[0]) for row in rows(builder, "train")
        }
        assert written == {(name, name) for name in names}
        return names

    add("bob"), add("carl")
    assert writers() == ["bob", "carl"]
    add("ada")
    assert writers() == ["ada", "bob", "carl"] and "(new writers: ada)" in caplog.text
    shutil.rmtree(scans / "bob")
    assert writers() == ["ada", "carl"] and "(writers gone: bob)" in caplog.text
    (scans / "ada").rename(scans / "dora")
    assert writers() == ["carl", "dora"] and "(new writers: dora; writers gone: ada)" in caplog.text
    (scans / "carl/page4-00.png").rename(scans / "carl/note-00.png")
    assert writers() == ["carl", "dora"]
    assert "(new pages: carl/note; pages gone: carl/page4)" in caplog.text


@pytest.mark.slow
def test_a_dataset_is_built_anew_when_its_pages_are_told_otherwise(tmp_path):
    for writer, page, line in itertools.product("ab", "1234", "12"):
        path = tmp_path / f"scans/{writer}/p{page}_l{line}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(png(scribble(path.name + writer)))

    def forms(pattern):
        return forms_by_split(
            prepare("folder", data_dir=tmp_path / "tfds", manual_dir=tmp_path / "scans", page_pattern=pattern)
        )

    with pytest.raises(errors.UnclearPagesError):
        forms(None)
    assert forms("(?P<page>p.)_")["test"] < {f"{writer}/p{page}" for writer in "ab" for page in "1234"}
    assert "_l" in min(forms("(?P<page>.+)")["test"])


def test_copies_are_told_also_if_too_little_is_left(tmp_path, caplog):
    for writer in ("ada", "bob"):
        for copy in range(4):
            path = tmp_path / f"scans/{writer}/letter{copy}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(png(scribble(writer, 100, 500)))
    with pytest.raises(errors.EmptySplitError):
        prepare(
            "folder", data_dir=tmp_path / "tfds", manual_dir=tmp_path / "scans", page_pattern="(?P<page>.+)"
        )
    assert (
        "8 scans are copies of each other, or nearly so, and stay in one split: ada/letter0.png"
        in caplog.text
    )


def test_nothing_is_said_of_a_download(tmp_path, small_iam, caplog, capfd):
    with caplog.at_level("INFO"):
        builder = prepare("top50", data_dir=tmp_path / "tfds", manual_dir=small_iam)
    said = caplog.text + "".join(capfd.readouterr())
    assert f"Building the dataset iam_writer/top50/1.0.0 in {builder.data_path}." in said
    assert "ownload" not in said and "Unknown size" not in said


def test_the_default_config_is_the_one_that_needs_no_files(tmp_path):
    assert tfds.builder("iam_writer", data_dir=tmp_path).builder_config.name == "synthetic"


def test_a_dataset_is_used_again_and_built_anew_when_its_files_change(tmp_path, small_iam):
    image = small_iam / "sentences/a02/a02-001/a02-001-s00-02.png"

    def prepared(manual_dir=small_iam):
        path = prepare("top50", data_dir=tmp_path / "tfds", manual_dir=manual_dir).data_path
        return pathlib.Path(path, "dataset_info.json").stat().st_mtime_ns

    built = prepared()
    assert prepared() == prepared(None) == built
    image.unlink()
    assert prepared(None) == built
    assert prepared() != built


def test_bad_images_are_left_out_and_listed(tmp_path, small_iam):
    empty = small_iam / "sentences/a02/a02-001/a02-001-s00-02.png"
    empty.write_bytes(b"")
    with pytest.raises(errors.TooManyBadImagesError, match=r"(?s)--max_bad_images.*a02-001-s00-02.*is empty"):
        prepare("top50", data_dir=tmp_path / "tfds", manual_dir=small_iam)
    builder = prepare("top50", data_dir=tmp_path / "tfds", manual_dir=small_iam, max_bad_images=0.1)
    listing = (builder.data_path / BAD_IMAGES_FILE).read_text()
    assert listing.startswith("a02-001-s00-02\t") and listing.count("\n") == 1
    assert sum(info.num_examples for info in builder.info.splits.values()) == 17


@pytest.mark.parametrize("source", ["iam", "folder", "synthetic"])
def test_readers_can_be_sent_to_workers(tmp_path, small_iam, source):
    reader = {
        "iam": lambda: IamDatabase(small_iam),
        "folder": lambda: HandwritingFolder(small_iam / "sentences/a02"),
        "synthetic": lambda: SyntheticHandwriting(2, 1, 1),
    }[source]()
    line = reader.lines[-1]
    assert pickle.loads(pickle.dumps(reader)).read(line) == reader.read(line)


@pytest.mark.slow
def test_apache_beam_makes_the_same_files(tmp_path, small_iam):
    (small_iam / "sentences/a02/a02-001/a02-001-s00-02.png").write_bytes(b"")

    def build(name, max_bad_images=0.1, **beam):
        builder = iam_writer.Builder(config="top50", data_dir=tmp_path / name, max_bad_images=max_bad_images)
        config = tfds.download.DownloadConfig(manual_dir=tfds.core.Path(small_iam), **beam)
        builder.download_and_prepare(download_config=config)
        files = pathlib.Path(builder.data_path).glob("*")
        # Beam's own metrics do not belong to the dataset.
        return {path.name: path.read_bytes() for path in files if "metrics" not in path.name}

    alone = build("alone")
    assert any("train.tfrecord" in name for name in alone) and b"a02-001-s00-02" in alone[BAD_IMAGES_FILE]
    assert build("beam", beam_runner="DirectRunner") == alone
    with pytest.raises(errors.TooManyBadImagesError, match="a02-001-s00-02"):
        build("too many", max_bad_images=0.01, beam_runner="DirectRunner")


def test_files_of_a_folder_that_are_no_images_are_counted_and_named(tmp_path, caplog):
    for writer, form, line in itertools.product("ab", "xyz", "12"):
        file = tmp_path / f"scans/{writer}/{form}-{line}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(png(scribble(file.name)))
    (tmp_path / "scans/a/notes.pdf").write_bytes(b"%PDF")
    prepare("folder", data_dir=tmp_path / "tfds", manual_dir=tmp_path / "scans")
    assert "1 files are not an image of a writer. They were left out: a/notes.pdf" in caplog.text


@pytest.mark.slow
def test_odd_scans_and_writers_of_a_single_page_are_told(tmp_path, caplog):
    for writer, count in (("ada", 3), ("bob", 1)):
        (tmp_path / "scans" / writer).mkdir(parents=True)
        for i in range(count):
            page, _ = written_page(lines=4, width=900, seed=i)
            upside_down = page[::-1, ::-1] if writer == "bob" else page
            (tmp_path / f"scans/{writer}/letter{i}.png").write_bytes(png(upside_down))
    builder = prepare("folder", data_dir=tmp_path / "tfds", manual_dir=tmp_path / "scans")
    assert sum(info.num_examples for info in builder.info.splits.values()) == 16
    assert "bob/letter0.png: it may be upside down." in caplog.text
    assert "1 of 2 writers have a single page, so they have no page for the test: bob" in caplog.text
    assert len(list((tmp_path / "tfds/downloads/extracted/pages").glob("*.zip"))) == 4


def test_a_split_of_which_no_image_can_be_read(tmp_path, small_iam):
    builder = prepare("top50", data_dir=tmp_path / "a", manual_dir=small_iam)
    for row in rows(builder, "validation"):
        form = row["form"].decode()
        (small_iam / f"sentences/{form[:3]}/{form}/{row['id'].decode()}.png").write_bytes(b"no image")
    with pytest.raises(errors.EmptySplitError, match="'validation'"):
        prepare("top50", data_dir=tmp_path / "b", manual_dir=small_iam, max_bad_images=1)


@pytest.mark.parametrize(
    ("forms", "error", "message"),
    [
        ({"a00-000": "000", "a00-001": "000"}, errors.TooFewWritersError, "At least two writers"),
        ({"a00-000": "000", "a00-001": "000", "a01-000": "001"}, errors.EmptySplitError, "validation"),
    ],
)
def test_too_little_to_divide(tmp_path, forms, error, message):
    with pytest.raises(error, match=message):
        prepare("top50", data_dir=tmp_path / "tfds", manual_dir=write_iam(tmp_path / "iam", forms))


@pytest.mark.parametrize(
    ("manual_dir", "message"), [(None, "--manual_dir"), ("nowhere", "no folder"), (".", "forms.txt")]
)
def test_missing_data(tmp_path, monkeypatch, manual_dir, message):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(errors.MissingDataError, match=f"(?s){message}.*Download ascii.tgz"):
        prepare("top50", data_dir=tmp_path / "tfds", manual_dir=manual_dir)


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        tf.errors.ResourceExhaustedError(None, None, "x.tfrecord; No space left on device"),
    ],
    ids=["ours", "TensorFlow's"],
)
def test_a_full_disk_leaves_nothing_and_the_next_run_starts_clean(tmp_path, small_iam, monkeypatch, error):
    def full(*args, **kwargs):
        raise error

    with monkeypatch.context() as patched:
        patched.setattr(iam_writer_dataset_builder, "_read_in_parallel", full)
        with pytest.raises(OSError, match="No space left"):
            prepare("top50", data_dir=tmp_path / "tfds", manual_dir=small_iam)
    assert not list((tmp_path / "tfds/iam_writer/top50").glob("[!1]*"))
    assert (
        prepare("top50", data_dir=tmp_path / "tfds", manual_dir=small_iam).info.splits["test"].num_examples
        == 6
    )


def test_what_a_killed_program_left_is_removed(tmp_path, small_iam):
    left = tmp_path / "tfds/iam_writer/top50/incomplete.8XSUO5_1.0.0"
    left.mkdir(parents=True)
    (left / "iam_writer-train.tfrecord").write_bytes(b"half")
    prepare("top50", data_dir=tmp_path / "tfds", manual_dir=small_iam)
    assert not left.exists()


def test_synthetic_config_has_a_name_of_its_own():
    assert synthetic_config(num_writers=50, seed=0) == "synthetic"
    one, other = synthetic_config(num_writers=7), synthetic_config(num_writers=7, seed=1)
    assert isinstance(one, WriterConfig)
    assert one.name.startswith("synthetic7_") and one.name != other.name
