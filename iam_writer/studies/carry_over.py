"""How well hands are found in collections that a method has not learnt from. The flags are in carry.py."""

import dataclasses
import io
import json
import pathlib
from collections.abc import Callable, Iterable, Sequence
from typing import Final

import numpy as np
from PIL import Image

from iam_writer.common import datasets
from iam_writer.common.errors import CheckpointError
from iam_writer.common.files import write_beside
from iam_writer.common.provenance import provenance
from iam_writer.common.specs import config_of
from iam_writer.handwriting.synthetic import SyntheticHandwriting
from iam_writer.iam_writer_dataset_builder import prepare
from iam_writer.recognition import descriptor, inputs, line_counts, recognizer, reference, retrieval
from iam_writer.recognition.calibration import pieces_of_forms
from iam_writer.studies.corruptions import corrupted
from pipelines.strips import Example

SEED: Final = 20_000
"""Of the invented writers, far from the seeds of the reference and of the datasets."""

FORMS, LINES = 3, 6
"""Pages of each invented writer, and lines of a page."""

Method = Callable[[np.ndarray], np.ndarray]
"""Counts, int `[n, descriptor.SIZE]` → float `[n, dimensions]` of unit length."""


@dataclasses.dataclass(frozen=True)
class Collection:
    """The lines of some forms.

    Attributes:
      counts: int32 `[lines, descriptor.SIZE]`.
      forms: `[lines]`, the name of each line's form.
      writers: `[lines]`, who wrote each line.
    """

    counts: np.ndarray
    forms: np.ndarray
    writers: np.ndarray


def run(
    *,
    checkpoints: Sequence[str],
    dataset: str,
    manual_dir: str | None,
    data_dir: str | None,
    max_bad_images: float,
    page_pattern: str | None,
    writer_pattern: str | None,
    writers: int,
    output: str | None,
) -> dict:
    """Args: see the flags of the same names.

    Returns:
      `results`: method → collection → for 'lines' and 'forms', what `retrieval.measures` returns. For a checkpoint,
      `strangers` is the same with the forms of writers only whom the checkpoint does not know. Further entries say where the
      figures come from.

    Raises:
      InputError: one of the kinds in `errors`.
      OSError: a file cannot be written.
    """
    opened = [_open(path) for path in checkpoints]
    builder = prepare(
        config_of(dataset),
        data_dir=data_dir,
        manual_dir=manual_dir,
        max_bad_images=max_bad_images,
        page_pattern=page_pattern,
        writer_pattern=writer_pattern,
    )
    collections = _collections({config_of(dataset): builder}, writers)
    report = {"results": {}, "dataset": builder.info.full_name, "invented_writers": writers, **provenance()}
    for name, method in (("nothing", _plain), ("invented writers", _of_reference)):
        report["results"][name] = {place: _measured(method, some) for place, some in collections.items()}
    for some in opened:
        name = f"{some.run['dataset'][0]} ({len(some.writers)} writers)"
        method = _of_checkpoint(some)
        of_one = report["results"][name] = {
            place: _measured(method, where) for place, where in collections.items()
        }
        for place, where in collections.items():
            known = np.isin(where.writers, some.writers)
            if known.any() and not known.all():
                kept = Collection(where.counts[~known], where.forms[~known], where.writers[~known])
                of_one[f"{place}, strangers"] = _measured(method, kept)
    if output:
        write_beside(pathlib.Path(output), json.dumps(report, indent=2) + "\n")
    return report


def _open(path: str) -> recognizer.DescriptorRecognizer:
    some = recognizer.load(path, inputs.open_calibration(path))
    if not isinstance(some, recognizer.DescriptorRecognizer):
        raise CheckpointError(f"{path} holds a network. Name checkpoints of --model=descriptor.")
    return some


def _collections(builders: datasets.Builders, writers: int) -> dict[str, Collection]:
    examples = [line for split in ("validation", "test") for line in datasets.line_examples(builders, split)]
    names = np.array(datasets.writers(builders))[[line.label for line in examples]]
    forms = np.array([line.group for line in examples])
    plain = np.concatenate([line_counts.of_split(builders, split) for split in ("validation", "test")])
    gray = line_counts.of_images(list(map(_gray, examples)), "gray copies")
    dataset = next(iter(builders))
    found = {
        dataset: Collection(plain, forms, names),
        f"{dataset}, gray": Collection(gray, forms, names),
    }
    for script in ("latin", "greek"):
        found[f"invented, {script}"] = _invented(script, writers)
    return found


def _gray(line: Example) -> bytes:
    with Image.open(io.BytesIO(line.image)) as picture:
        gray = corrupted(np.asarray(picture.convert("L")), "gray_paper", line.id)
    file = io.BytesIO()
    Image.fromarray(gray).save(file, "PNG")
    return file.getvalue()


def _invented(script: str, writers: int) -> Collection:
    hands = SyntheticHandwriting(writers, FORMS, LINES, seed=SEED, script=script, sessions=1.0)
    images = [hands.read(line) for line in hands.lines]
    return Collection(
        line_counts.of_images(images, f"invented {script}"),
        np.array([line.form for line in hands.lines]),
        np.array([f"invented {line.writer}" for line in hands.lines]),
    )


def _plain(counts: np.ndarray) -> np.ndarray:
    return descriptor.features(counts)


def _of_reference(counts: np.ndarray) -> np.ndarray:
    return reference.read().whitening.apply(descriptor.features(counts))


def _of_checkpoint(some: recognizer.DescriptorRecognizer) -> Method:
    def method(counts: np.ndarray) -> np.ndarray:
        seen = recognizer.SeenByDescriptor(counts, some.discriminants)
        return some.calibration.embed(seen.embedded([np.array([i]) for i in range(len(counts))]))

    return method


def _measured(method: Method, some: Collection) -> dict[str, dict[str, float | int]]:
    (pieces,) = pieces_of_forms(some.forms, ())
    pooled = np.stack([some.counts[piece].sum(axis=0, dtype=np.int64) for piece in pieces])
    forms, lines = method(pooled), method(some.counts)
    writers = np.unique(some.writers, return_inverse=True)[1]
    form_of_line = np.empty(len(lines), int)
    for number, piece in enumerate(pieces):
        form_of_line[piece] = number
    of_forms = writers[[piece[0] for piece in pieces]]
    return {
        "lines": retrieval.of_lines(lines, forms, form_of_line, of_forms),
        "forms": retrieval.of_forms(forms, of_forms),
    }


def table(report: dict) -> str:
    """What `run` returns, as text for a person."""
    rows = [
        f"{'learnt from':36}{'asked on':28}{'forms':>7}{'top-1':>8}{'mAP':>8}{'equal error':>13}{'lines: top-1':>14}"
    ]
    for method, places in report["results"].items():
        rows += list(_rows(method, places.items()))
    return "\n".join(rows)


def _rows(method: str, places: Iterable[tuple[str, dict]]) -> Iterable[str]:
    for place, found in places:
        forms, lines = found["forms"], found["lines"]
        yield (
            f"{method:36}{place:28}{forms['queries']:>7,}{forms['top1']:>8.1%}{forms['map']:>8.3f}"
            f"{forms['equal_error']:>13.1%}{lines['top1']:>14.1%}"
        )
