"""The images of a TFDS dataset, still encoded, with their labels."""

import dataclasses
from collections.abc import Iterator

import tensorflow_datasets as tfds


@dataclasses.dataclass(frozen=True)
class Example:
    """An image file, its label, and two names that evaluation needs.

    Attributes:
      image: a file that Pillow can read.
      label: number of the class.
      id: name of the image; empty if it has none.
      group: name of what the image is a part of, such as its form; empty if there is none.
    """

    image: bytes
    label: int
    id: str = ""
    group: str = ""


def examples_of_split(
    builder: tfds.core.DatasetBuilder,
    split: str,
    *,
    image: str | None = None,
    label: str | None = None,
    id: str | None = None,
    group: str | None = None,
) -> Iterator[Example]:
    """The examples of a split of a prepared TFDS dataset. Images stay encoded, so that all cores can decode them.

    Args: see `pipelines.strips.strips_of_split`.

    Raises:
      ValueError: see `only_feature`.
    """
    # Here, not in the generator below: a wrong name is reported when this function is called.
    image = image or only_feature(builder.info, tfds.features.Image, "image")
    label = label or only_feature(builder.info, tfds.features.ClassLabel, "label")
    return _examples(builder, split, image, label, id, group)


def _examples(
    builder: tfds.core.DatasetBuilder, split: str, image: str, label: str, id: str | None, group: str | None
) -> Iterator[Example]:
    dataset = builder.as_dataset(split=split, decoders={image: tfds.decode.SkipDecoding()})
    for row in tfds.as_numpy(dataset):
        texts = (row[name].decode() if name else "" for name in (id, group))
        yield Example(row[image], int(row[label]), *texts)


def only_feature(info: tfds.core.DatasetInfo, kind: type, argument: str) -> str:
    """The name of the one feature of a kind that a dataset has.

    Args:
      info: of the dataset.
      kind: a class of TFDS features.
      argument: which argument would name the feature, for the error message.

    Raises:
      ValueError: the dataset has no such feature, or several.
    """
    names = [name for name, feature in info.features.items() if isinstance(feature, kind)]
    if len(names) == 1:
        return str(names[0])
    found = f"{len(names)} features of this kind ({', '.join(names)})" if names else "no such feature"
    raise ValueError(
        f"Cannot choose the {kind.__name__} feature of the dataset {info.full_name}: it has {found}. "
        f"Its features are {', '.join(info.features)}. Name one by {argument}=…."
    )
