"""The configs of the TFDS dataset: which handwriting it has, and how that is divided."""

import dataclasses
import hashlib
import json
from typing import Any

import tensorflow_datasets as tfds

from iam_writer.handwriting.public_sets import SETS


@dataclasses.dataclass(eq=False)
class WriterConfig(tfds.core.BuilderConfig):
    """Says which handwriting a dataset has, and how it is divided.

    The attributes from `num_writers` on are for synthetic handwriting only.

    Attributes:
      data: 'iam', 'synthetic', 'folder', or a public set, a key of `handwriting.public_sets.SETS`.
      unit: for IAM: 'sentences' (its sentence files, which are lines or pieces of lines), 'lines', 'words' or 'forms' (whole
        pages, which are cut into lines).
      subset: 'all'; 'top50', the fifty writers with the most images; 'two_forms', the writers with two or more forms.
      split_by: 'form' holds out whole forms. 'form_or_row' does the same, but splits the writers with a single form by
        text line. 'one_form' holds out one form of each writer. 'image' holds out images, which leaks forms.
      num_writers: number of writers.
      forms_per_writer: pages of each writer.
      lines_per_form: lines of a page.
      seed: another seed gives other writers.
      script: the script of the hands, a key of `handwriting.synthetic.SCRIPTS`.
      test_script: the script of the test forms. None: the same as `script`.
      fonts_dir: a folder of fonts to write with, instead of the invented hands.
      text_file: the sentences to write with the fonts, one a line, in any script.
    """

    data: str = "iam"
    unit: str = "sentences"
    subset: str = "all"
    split_by: str = "form"
    num_writers: int = 50
    forms_per_writer: int = 6
    lines_per_form: int = 6
    seed: int = 0
    script: str = "latin"
    test_script: str | None = None
    fonts_dir: str | None = None
    text_file: str | None = None


def synthetic_config(**changes: Any) -> WriterConfig | str:
    """The config of synthetic writers with some fields of WriterConfig changed. It has a name of its own."""
    standard = WriterConfig(name="synthetic")
    changes = {name: value for name, value in changes.items() if getattr(standard, name) != value}
    if not changes:
        return "synthetic"
    digest = hashlib.sha256(json.dumps(changes, sort_keys=True).encode()).hexdigest()[:8]
    writers = changes.get("num_writers", standard.num_writers)
    return WriterConfig(
        name=f"synthetic{writers}_{digest}", data="synthetic", description=f"Synthetic, {changes}", **changes
    )


def iam_configs(unit: str, suffix: str) -> list[WriterConfig]:
    def config(name: str, description: str, **fields: Any) -> WriterConfig:
        return WriterConfig(
            name=name + suffix, description=f"{description} IAM's {unit}.", unit=unit, **fields
        )

    return [
        config("top50", "The 50 writers with the most images, whole forms held out.", subset="top50"),
        config("writers301", "All writers of two or more forms, whole forms held out.", subset="two_forms"),
        config(
            "writers657",
            "All writers, whole forms held out; those of a single form are split by text line.",
            split_by="form_or_row",
        ),
        config(
            "writers657_one_form",
            "All writers, one form of each held out as FragNet and GR-RNN do; those of a single form are split by text line.",
            split_by="one_form",
        ),
        config(
            "top50_by_image",
            "The 50 writers with the most images, split by image as the article does. LEAKS: most test images "
            "have siblings of the same page in train.",
            subset="top50",
            split_by="image",
        ),
    ]


def public_configs() -> list[WriterConfig]:
    return [
        WriterConfig(name=name, data=name, description=f"{public.title}; whole pages held out.")
        for name, public in SETS.items()
    ]
