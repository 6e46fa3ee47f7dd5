"""The data of a run: the strips of the datasets that its settings name."""

import dataclasses

from iam_writer.common.datasets import Builders, joint_strips, writers
from iam_writer.iam_writer_dataset_builder import prepare, synthetic_config
from iam_writer.training.settings import Settings
from pipelines.strips import Strips


@dataclasses.dataclass(frozen=True)
class Data:
    """The data of a run, from one or several datasets.

    Attributes:
      names: the name of each dataset in TFDS, with the version of its files.
      fingerprints: for each dataset, the fingerprint of the files that it was made from.
      writers: the name of each class.
      strips: split → the strips of all datasets together.
      builders: config → the dataset.
    """

    names: list[str]
    fingerprints: list[str]
    writers: list[str]
    strips: dict[str, Strips]
    builders: Builders


def load(settings: Settings) -> Data:
    """Prepares the datasets and their strips if they are not there."""
    same = "num_writers forms_per_writer lines_per_form script test_script fonts_dir text_file".split()
    invented = synthetic_config(
        seed=settings.synthetic_seed, **{name: getattr(settings, name) for name in same}
    )
    builders = {
        spec.config: prepare(
            invented if spec.config == "synthetic" else spec.config,
            data_dir=settings.data_dir,
            manual_dir=spec.manual_dir,
            max_bad_images=settings.max_bad_images,
            page_pattern=settings.page_pattern,
            writer_pattern=settings.writer_pattern,
        )
        for spec in settings.specs
    }
    strips = {
        split: joint_strips(builders, split, settings.patch_height, settings.patch_width)
        for split in ("train", "validation", "test")
    }
    infos = [builder.info for builder in builders.values()]
    return Data(
        [info.full_name for info in infos],
        [info.metadata["fingerprint"] for info in infos],
        writers(builders),
        strips,
        builders,
    )
