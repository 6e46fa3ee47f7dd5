"""The TFDS dataset `iam_writer`: images of handwritten lines, and their writers."""

import concurrent.futures
import dataclasses
import functools
import logging
import os
import pathlib
import shutil
import sys
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

import filelock
import tensorflow_datasets as tfds

from iam_writer.common.errors import BadImageError, EmptySplitError, MissingDataError, TooManyBadImagesError
from iam_writer.common.files import full_disk_as_oserror
from iam_writer.common.writer_configs import WriterConfig, iam_configs, public_configs, synthetic_config
from iam_writer.handwriting import changes, splits
from iam_writer.handwriting.folder import HandwritingFolder
from iam_writer.handwriting.iam_database import IamDatabase
from iam_writer.handwriting.line import Census, Handwriting, Line
from iam_writer.handwriting.public_sets import SETS, PublicHandwriting
from iam_writer.handwriting.synthetic import SyntheticHandwriting

__all__ = ["BAD_IMAGES_FILE", "Builder", "WriterConfig", "prepare", "synthetic_config"]

log = logging.getLogger(__name__)

BAD_IMAGES_FILE = "bad_images.txt"
"""A file in the dataset's folder. It has a row `id<TAB>reason` for each image that could not be read."""

WRITER_DOC = "Who wrote it."

WARNINGS = 10
"""At most so many warnings of a source are shown."""


class Builder(tfds.core.GeneratorBasedBuilder):
    """Handwritten lines with their writers: IAM's, invented ones, or those of a folder of scans."""

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES: ClassVar = {"1.0.0": "First release."}
    MANUAL_DOWNLOAD_INSTRUCTIONS = (
        "Register, free of charge for research, at https://fki.tic.heia-fr.ch/databases/iam-handwriting-database, "
        "and download ascii.tgz and sentences.tgz (lines.tgz for configs of that name) into manual_dir. They may stay packed. "
        "Configs with the names of other public sets say where these are. Of the config folder, manual_dir is a folder of your own: in it one a writer, with scans of pages or lines."
    )
    BUILDER_CONFIGS: ClassVar = [
        *iam_configs("sentences", ""),
        *iam_configs("lines", "_lines"),
        *iam_configs("words", "_words"),
        *iam_configs("forms", "_forms"),
        *public_configs(),
        WriterConfig(name="synthetic", data="synthetic", description="50 invented writers; needs no data."),
        WriterConfig(
            name="folder",
            data="folder",
            description="Your own scans: manual_dir/<writer>/<page>.png or <page>-<line>.png.",
        ),
    ]
    DEFAULT_BUILDER_CONFIG_NAME = "synthetic"  # The only config that needs no files.
    builder_config: WriterConfig

    def __init__(
        self,
        *,
        max_bad_images: float = 0.01,
        page_pattern: str | None = None,
        writer_pattern: str | None = None,
        **kwargs: Any,
    ):
        """Makes a builder.

        Args:
          max_bad_images: the share of images that may be unreadable.
          page_pattern: for the config folder, see `HandwritingFolder`.
          writer_pattern: the same.
          **kwargs: the arguments of TFDS.
        """
        self._max_bad_images = max_bad_images
        self._patterns = {"page_pattern": page_pattern, "writer_pattern": writer_pattern}
        self._bad_images: dict[str, str] = {}
        self._on_beam = False
        super().__init__(**kwargs)

    def _info(self) -> tfds.core.DatasetInfo:
        return self.dataset_info_from_configs(
            features=tfds.features.FeaturesDict(
                {
                    "image": tfds.features.Image(
                        shape=(None, None, 1), encoding_format="png", doc="Gray, at its own size."
                    ),
                    # The names of the writers are set while building, since only the images tell them.
                    "writer": tfds.features.ClassLabel(doc=WRITER_DOC),
                    "form": tfds.features.Text(doc="The page it was cut from."),
                    "id": tfds.features.Text(doc="Unique name of the image."),
                    "text": tfds.features.Text(doc="What is written; empty if unknown."),
                }
            ),
            supervised_keys=("image", "writer"),
            homepage="https://fki.tic.heia-fr.ch/databases/iam-handwriting-database",
            # Filled while building: it says from what the dataset was made, see `_split_generators`.
            metadata=tfds.core.MetadataDict(),
        )

    def handwriting(
        self, manual_dir: os.PathLike | str | None, extract_dir: os.PathLike | str
    ) -> Handwriting:
        """The source of handwriting for this config.

        Args:
          manual_dir: the folder of the handwriting. Synthetic configs do not use it.
          extract_dir: the folder for extracted archives and for the lines cut from pages.

        Raises:
          InputError: of the kinds that the docstrings of the readers name.
        """
        config = self.builder_config
        if config.data == "synthetic":
            return SyntheticHandwriting(
                num_writers=config.num_writers,
                forms_per_writer=config.forms_per_writer,
                lines_per_form=config.lines_per_form,
                seed=config.seed,
                script=config.script,
                test_script=config.test_script,
                fonts_dir=config.fonts_dir,
                text_file=config.text_file,
            )
        if config.data == "folder":
            return HandwritingFolder(manual_dir, pathlib.Path(extract_dir) / "pages", **self._patterns)
        if config.data in SETS:
            return PublicHandwriting(config.data, manual_dir, extract_dir)
        return IamDatabase(manual_dir, unit=config.unit, extract_dir=extract_dir)

    def download_and_prepare(self, **kwargs: Any) -> None:
        """Builds the dataset as TFDS does, with two differences.

        If two programs prepare the same dataset, one waits for the other. If the disk is full, an OSError is raised.
        """
        folder = pathlib.Path(self.data_path)
        folder.parent.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(folder.parent / f"{folder.name}.lock"):
            for left in folder.parent.glob(f"incomplete.*_{folder.name}"):  # A killed program left it.
                shutil.rmtree(left)
            with full_disk_as_oserror(folder):
                super().download_and_prepare(**kwargs)
        if not self.info.initialized:  # Another program has prepared it while this one waited.
            self.info.read_from_directory(self.data_path)

    def _log_download_bytes(self) -> None:
        """Replaces the message of TFDS, "Downloading … Unknown size", since nothing is downloaded."""
        log.info("Building the dataset %s in %s.", self.info.full_name, self.data_path)

    def _log_download_done(self) -> None:
        log.info("The dataset is built.")

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Any]:
        config = self.builder_config
        manual_dir = None if config.data == "synthetic" else _manual_dir(dl_manager)
        handwriting = self.handwriting(manual_dir, dl_manager.download_dir / "extracted")
        lines = splits.select(handwriting.lines, config.subset)
        divided, copies = splits.one_side(splits.split(lines, config.split_by))
        self._tell(handwriting, copies)
        splits.check(divided)
        # The feature is initialised again. Otherwise TFDS refuses new names if a dataset is built a second time.
        self.info.features["writer"].__init__(names=sorted({line.writer for line in lines}), doc=WRITER_DOC)
        found, used = Census.of(handwriting.lines), Census.of(lines)
        self.info.metadata.update(
            fingerprint=handwriting.fingerprint,
            found=dataclasses.asdict(found),
            expected=dataclasses.asdict(handwriting.expected),
            used=dataclasses.asdict(used),
        )
        if config.data != "synthetic":
            self.info.metadata["forms"] = changes.forms(handwriting)
        log.info("The index promises %s. The files hold %s.", handwriting.expected, found)
        log.info("The dataset %s uses %s.", config.name, used)
        if single := splits.never_tested(divided):
            log.warning(
                "%d of %d writers have a single page, so they have no page for the test: %s",
                len(single),
                used.writers,
                ", ".join(single[:10]),
            )
        self._bad_images.clear()
        self._allowed_bad_images = int(self._max_bad_images * len(lines))
        generate = self._examples_on_beam if self._on_beam else self._generate_examples
        return {name: generate(handwriting, name, part) for name, part in divided.items()}

    def _tell(self, handwriting: Handwriting, copies: Sequence[str]) -> None:
        """Shows what is odd about the handwriting."""
        if handwriting.ignored:
            first = ", ".join(handwriting.ignored[:5])
            log.warning(
                "%d files are not an image of a writer. They were left out: %s",
                len(handwriting.ignored),
                first,
            )
        for warning in handwriting.warnings[:WARNINGS]:
            log.warning("%s.", warning)
        if len(handwriting.warnings) > WARNINGS:
            log.warning("There are %d more warnings about scans.", len(handwriting.warnings) - WARNINGS)
        if copies:
            log.warning(
                "%d images were left out, since validation or test has a copy of each: %s",
                len(copies),
                ", ".join(copies[:5]),
            )

    def _generate_examples(self, handwriting: Handwriting, split: str, lines: Sequence[Line]):
        readable = 0
        for line, image in _read_in_parallel(handwriting, lines):
            if isinstance(image, BadImageError):
                self._bad_images[line.id] = str(image)
                self._check_bad_images()
                continue
            readable += 1
            yield _example(line, image)
        if not readable:
            raise EmptySplitError(
                f"{self.info.full_name} cannot be built, because no image of the split {split!r} can be read. Replace the images."
            )

    def _examples_on_beam(self, handwriting: Handwriting, split: str, lines: Sequence[Line]):
        """An Apache Beam transform that makes the same examples as `_generate_examples`, on the workers of Beam.

        It lists the images that cannot be read in a file.
        """
        import apache_beam as beam  # The extra `beam` installs it.

        @beam.ptransform_fn
        def examples(pipeline, listing):
            read = (
                pipeline
                | beam.Create(lines)
                | beam.Reshuffle()
                | beam.FlatMap(functools.partial(_read_on_beam, handwriting)).with_outputs("bad", main="good")
            )
            _ = read.bad | beam.io.WriteToText(listing, shard_name_template="")
            return read.good

        return examples(str(self._listing_of(split)))

    def _listing_of(self, split: str) -> pathlib.Path:
        return pathlib.Path(self.data_path) / f"{split}-{BAD_IMAGES_FILE}"

    def _check_bad_images(self) -> None:
        allowed = self._allowed_bad_images
        if len(self._bad_images) > allowed:
            first = "\n  ".join(list(self._bad_images.values())[:10])
            raise TooManyBadImagesError(
                f"More than {allowed} images ({self._max_bad_images:.1%}) cannot be read. Replace or remove them, or "
                f"allow more with --max_bad_images. These are the first:\n  {first}"
            )

    def _download_and_prepare(self, dl_manager, download_config) -> None:
        self._on_beam = bool(download_config.beam_runner or download_config.beam_options)
        super()._download_and_prepare(dl_manager, download_config)
        if self._on_beam:
            for split in self.info.splits:
                rows = self._listing_of(split).read_text().splitlines()
                self._bad_images.update(row.split("\t", 1) for row in rows)
                self._listing_of(split).unlink()
            self._check_bad_images()
        # The folder is still the temporary one of TFDS, so the list appears together with the dataset.
        listing = "".join(f"{id}\t{why}\n" for id, why in sorted(self._bad_images.items()))
        (self.data_path / BAD_IMAGES_FILE).write_text(listing)
        if self._bad_images:
            log.warning(
                "%d images cannot be read and were left out. The file %s in the folder of the dataset lists them.",
                len(self._bad_images),
                BAD_IMAGES_FILE,
            )


def prepare(
    config: WriterConfig | str,
    *,
    data_dir: os.PathLike | str | None = None,
    manual_dir: os.PathLike | str | None = None,
    max_bad_images: float = 0.01,
    page_pattern: str | None = None,
    writer_pattern: str | None = None,
) -> Builder:
    """The dataset of a config. It is built if it does not exist yet, or if it was built from other files.

    Args:
      config: the name of a config, or a config of your own.
      data_dir: the folder in which TFDS keeps datasets; by default the one that TFDS chooses.
      manual_dir: the folder of the handwriting. If None, an existing dataset is used as it is.
      max_bad_images: the share of images that may be unreadable.
      page_pattern: for the config folder: finds the page in a path, see `HandwritingFolder`.
      writer_pattern: the same for the writer.

    Returns:
      The builder, ready for `as_dataset`.

    Raises:
      InputError: of the kinds in `errors`; also if the dataset exists in the format of array records.
      OSError: the dataset cannot be written.
    """

    def new_builder() -> Builder:
        return Builder(
            config=config,
            data_dir=data_dir,
            max_bad_images=max_bad_images,
            page_pattern=page_pattern,
            writer_pattern=writer_pattern,
        )

    if not sys.stderr.isatty():
        tfds.disable_progress_bar()
    builder = new_builder()
    if builder.info.file_format not in tfds.core.FileFormat.with_tf_data():
        raise MissingDataError(
            f"{builder.data_path} holds files in the format {builder.info.file_format.value}, which tf.data cannot read. "
            "Name another folder with --data_dir. The dataset is then built there."
        )
    download_dir = pathlib.Path(builder.data_path).parents[2] / "downloads"
    mode = tfds.GenerateMode.REUSE_DATASET_IF_EXISTS
    if manual_dir or builder.builder_config.data == "synthetic" or not builder.info.initialized:
        # If files are missing or wrong, this raises an error before anything is built.
        handwriting = builder.handwriting(manual_dir, download_dir / "extracted")
        if builder.info.initialized and builder.info.metadata.get("fingerprint") != handwriting.fingerprint:
            before = builder.info.metadata.get("forms", [])
            log.warning(
                "The files of %s have changed since it was built%s. It is built again.",
                builder.data_path,
                changes.in_words(before, changes.forms(handwriting)) if before else "",
            )
            mode = tfds.GenerateMode.REUSE_CACHE_IF_EXISTS
    builder.download_and_prepare(
        download_dir=download_dir,
        download_config=tfds.download.DownloadConfig(
            manual_dir=None if manual_dir is None else pathlib.Path(manual_dir), download_mode=mode
        ),
    )
    return new_builder()


def _example(line: Line, image: bytes) -> tuple[str, dict[str, Any]]:
    return line.id, {
        "image": image,
        "writer": line.writer,
        "form": line.form,
        "id": line.id,
        "text": line.text,
    }


def _read_on_beam(handwriting: Handwriting, line: Line) -> Iterator:
    import apache_beam as beam

    try:
        yield _example(line, handwriting.read(line))
    except BadImageError as error:
        yield beam.pvalue.TaggedOutput("bad", f"{line.id}\t{error}")


def _manual_dir(dl_manager: tfds.download.DownloadManager) -> pathlib.Path:
    try:
        return pathlib.Path(dl_manager.manual_dir)
    except AssertionError as error:  # TFDS raises it for a folder that is missing or empty.
        raise MissingDataError(str(error)) from error


def _read_in_parallel(
    handwriting: Handwriting, lines: Sequence[Line]
) -> Iterator[tuple[Line, bytes | BadImageError]]:
    """Reads images in several threads, and yields them in the order of the lines.

    At most one block of images is in memory at once. An image that cannot be read gives its error instead.
    """

    def read(line: Line) -> bytes | BadImageError:
        try:
            return handwriting.read(line)
        except BadImageError as error:
            return error

    block = 256
    with concurrent.futures.ThreadPoolExecutor() as pool:
        for first in range(0, len(lines), block):
            part = lines[first : first + block]
            yield from zip(part, pool.map(read, part), strict=True)
