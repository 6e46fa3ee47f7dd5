"""Measures how good identify, enroll and verify are, on pages by known and by unknown hands.

Pages are glued from the lines of a form. The flags are in trial.py.
"""

import collections
import dataclasses
import io
import json
import pathlib
from collections.abc import Collection, Sequence
from typing import cast

import numpy as np
from PIL import Image

from iam_writer.common import datasets
from iam_writer.common.errors import MissingDataError
from iam_writer.common.files import write_beside
from iam_writer.common.provenance import provenance
from iam_writer.common.specs import config_of
from iam_writer.handwriting import pages, splits
from iam_writer.iam_writer_dataset_builder import prepare
from iam_writer.recognition import calibration as calibrations
from iam_writer.recognition import inputs, scoring
from iam_writer.recognition.gallery import Gallery
from iam_writer.recognition.recognizer import Recognizer, Scan, load
from iam_writer.recognition.verdict import Verdict
from iam_writer.studies import glued_pages
from iam_writer.studies.people_report import STRANGERS, Pairs, Report, Shares
from pipelines.system.progress import progress_bar

CONDITIONS = {
    "as glued": {},
    "ruled, shadow, 3° askew": {"ruled": True, "shadow": True, "skew": 3},
    "upside down": {"upside_down": True},
}
"""Name → arguments of `glued_pages.worsen`. Pages by known writers are tried under each of these conditions."""

RESAMPLES = 500


@dataclasses.dataclass(frozen=True)
class Form:
    """Lines of one page.

    Attributes:
      name: the name of the page.
      writer: who wrote the page.
      lines: the image files of its lines, from top to bottom.
    """

    name: str
    writer: str
    lines: list[bytes]


@dataclasses.dataclass(frozen=True)
class Asked:
    """The answer about a page.

    Attributes:
      form: the form that the page was glued from.
      lines_found: how many of the form's lines were found.
      verdict: the verdict, or None if no handwriting was found.
    """

    form: Form
    lines_found: int
    verdict: Verdict | None

    @property
    def named_first(self) -> bool:
        return self.verdict is not None and self.verdict.top5[0][0] == self.form.writer

    @property
    def accepted(self) -> bool:
        return self.verdict is not None and self.verdict.writer is not None

    @property
    def accepted_without_warning(self) -> bool:
        return self.accepted and self.verdict.warning is None


def run(
    *,
    checkpoint: str,
    split: str,
    strangers: str | None,
    number: int,
    data_dir: str | None,
    manual_dir: str | None,
    page_pattern: str | None = None,
    writer_pattern: str | None = None,
    max_bad_images: float,
    output: str | None,
) -> Report:
    """Args: see the flags of the same names.

    Raises:
      InputError: one of the kinds in `errors`.
      OSError: a file cannot be written.
    """
    network = load(checkpoint, inputs.open_calibration(checkpoint))
    own = datasets.builders(network.run, data_dir)
    report: Report = {
        **provenance(),
        "checkpoint": checkpoint,
        "model": network.run["model"],
        "dataset": [builder.info.full_name for builder in own.values()],
        "split": split,
        "rule": network.rule and dataclasses.asdict(network.rule),
        "strangers": None,
        "pages": {},
    }
    chosen = splits.shuffled(set().union(*form_names(own, [split]).values()))[:number]
    known = forms(own, [split], chosen)
    unknown = []
    if strangers:
        builder = prepare(
            config_of(strangers),
            data_dir=data_dir,
            manual_dir=manual_dir,
            max_bad_images=max_bad_images,
            page_pattern=page_pattern,
            writer_pattern=writer_pattern,
        )
        report["strangers"] = builder.info.full_name
        others, parts = {builder.info.config_name: builder}, list(builder.info.splits)
        known_names = {
            name for trained_on in own.values() for name in trained_on.info.features["writer"].names
        }
        by_strangers = {
            writer: found for writer, found in form_names(others, parts).items() if writer not in known_names
        }
        if not by_strangers:
            raise MissingDataError(
                f"{builder.info.full_name} has no strangers: {checkpoint} knows all of its writers. Name another dataset "
                "with --strangers."
            )
        unknown = forms(others, parts, two_of_each(by_strangers, number))

    for name, condition in CONDITIONS.items():
        asked = [ask(network, form, **condition)[0] for form in _progress(known, name)]
        report["pages"][name] = shares(asked)
    if unknown:
        asked, scans = zip(*(ask(network, form) for form in _progress(unknown, STRANGERS)), strict=True)
        report["pages"][STRANGERS] = shares(asked)
        seen = [(form, scan) for form, scan in zip(unknown, scans, strict=True) if scan is not None]
        report["enrolled"] = enrolled(network, seen)
        report["pairs"] = pairs(network, seen)
    if output:
        write_beside(pathlib.Path(output), json.dumps(report, indent=2) + "\n")
    return report


def form_names(builders: datasets.Builders, parts: Sequence[str]) -> dict[str, set[str]]:
    """Writer → the names of the writer's forms in some splits."""
    found = collections.defaultdict(set)
    writers = datasets.writers(builders)
    for part in parts:
        for example in datasets.line_examples(builders, part):
            found[writers[example.label]].add(example.group)
    return dict(found)


def two_of_each(names: dict[str, set[str]], number: int) -> list[str]:
    """Chooses `number` forms, two of each writer. Writers with only one form come last."""
    chosen = []
    for writer in sorted(splits.shuffled(names), key=lambda writer: len(names[writer]) < 2):
        chosen += splits.shuffled(names[writer])[:2]
    return chosen[:number]


def forms(builders: datasets.Builders, parts: Sequence[str], chosen: Collection[str]) -> list[Form]:
    """The chosen forms, sorted by writer, with all of their lines that are in some splits."""
    of_form = collections.defaultdict(list)
    for part in parts:
        for example in datasets.line_examples(builders, part):
            if example.group in chosen:
                of_form[example.label, example.group].append((example.id, example.image))
    writers = datasets.writers(builders)
    return [
        Form(form, writers[label], [image for _, image in sorted(lines)])
        for (label, form), lines in sorted(of_form.items())
    ]


def ask(network: Recognizer, form: Form, **condition) -> tuple[Asked, Scan | None]:
    """The answer of iam_writer.identify about a form: a page glued from its lines, changed by `glued_pages.worsen`."""
    lines = [np.asarray(Image.open(io.BytesIO(line)).convert("L")) for line in form.lines]
    glued, number_of = glued_pages.worsen(*glued_pages.glue(lines), **condition)
    page = pages.find_lines(glued)
    lines_found = glued_pages.found(page, number_of)
    if not page.lines:
        return Asked(form, lines_found, None), None
    scan = network.scan(page)
    return Asked(form, lines_found, network.verdict(form.name, page, scan)), scan


def shares(asked: Sequence[Asked]) -> Shares:
    """The number of pages, and the shares that are `named_first`, `accepted` and `accepted_without_warning`.

    Each share has a 95 % interval, `named_first_low` and so on, see `scoring.wilson`. The interval treats pages as
    independent, although a writer may have several pages. `lines` and `lines_found` are counts.
    """
    found: Shares = {"pages": len(asked)}
    for name in ("named_first", "accepted", "accepted_without_warning"):
        found |= share(name, sum(getattr(page, name) for page in asked), len(asked))
    found["lines"] = sum(len(page.form.lines) for page in asked)
    return found | {"lines_found": sum(page.lines_found for page in asked)}


def share(name: str, hits: int, number: int) -> Shares:
    low, high = scoring.wilson(hits, number)
    return {name: hits / number, f"{name}_low": low, f"{name}_high": high}


def enrolled(network: Recognizer, seen: Sequence[tuple[Form, Scan]]) -> Shares | None:
    """Enrols each stranger with one form and asks about another form of the stranger.

    Args:
      network: the network that has scanned the forms.
      seen: the forms and their scans. Only the first two forms of each writer are used.

    Returns:
      The number of `writers`; the shares of the other forms that are `named_first`, and `accepted` too, with intervals.
      None if fewer than two writers have two forms, or if the network cannot compare hands.
    """
    if not comparable(network, seen):
        return None
    gallery, others = Gallery.empty(network.fingerprint, len(network.calibration.mean)), {}
    for form, scan in seen:
        if form.writer in gallery.writers:
            others.setdefault(form.writer, scan)
        else:
            gallery = gallery.with_pages(form.writer, network.embeddings(scan))
    named = accepted = 0
    for writer, scan in others.items():
        probabilities, known = gallery.rank(network.embedding(scan), network.calibration)
        if gallery.writers[probabilities.argmax()] == writer:
            named, accepted = named + 1, accepted + known
    found = {"writers": len(gallery.writers), "pages": len(others)}
    return found | share("named_first", named, len(others)) | share("accepted", accepted, len(others))


def pairs(network: Recognizer, seen: Sequence[tuple[Form, Scan]]) -> Pairs | None:
    """Decides for every pair of forms whether one hand wrote both, as iam_writer.verify does.

    Args: see `enrolled`.

    Returns:
      The numbers of pairs by `one_hand` and by `two_hands`; the `equal_error`; `false_match` and `false_non_match` at the
      threshold of verify. Each error has an interval, see `pair_errors`.
    """
    if not comparable(network, seen):
        return None
    calibration = network.calibration
    hands = calibration.embed(np.stack([network.embedding(scan) for _, scan in seen]))
    writers = np.unique([form.writer for form, _ in seen], return_inverse=True)[1]
    first, second = np.triu_indices(len(seen), 1)
    odds = calibration.same_hand((hands[first] * hands[second]).sum(axis=1))
    errors = pair_errors(odds, writers[first], writers[second], float(calibration.pair_threshold))
    same = int((writers[first] == writers[second]).sum())
    false_match, false_non_match = calibration.pair_errors.tolist()
    found = {
        "one_hand": same,
        "two_hands": len(first) - same,
        **errors,
        "on_validation": {"false_match": false_match, "false_non_match": false_non_match},
    }
    return cast(Pairs, found)


def comparable(network: Recognizer, seen: Sequence[tuple[Form, Scan]]) -> bool:
    """Whether there are two writers, at least one of them has two forms, and the network can compare hands."""
    counts = collections.Counter(form.writer for form, _ in seen)
    return bool(network.calibration.pairs.all()) and len(counts) > 1 and max(counts.values()) > 1


def pair_errors(
    odds: np.ndarray, first: np.ndarray, second: np.ndarray, threshold: float
) -> dict[str, float]:
    """Error rates of deciding whether one hand or two hands wrote a pair, with 95 % intervals.

    The intervals are percentiles over resampled writers. The pairs of one writer are not independent, so a writer is drawn
    together with all of the writer's pairs. Each call makes the same draws.

    Args:
      odds: float `[pairs]`. The higher, the more likely it is that one hand wrote both forms.
      first: int `[pairs]`, who wrote the first form.
      second: int `[pairs]`, who wrote the second form.
      threshold: a pair counts as one hand if its odds are at least this.
    """

    def errors(drawn: np.ndarray) -> tuple[float, float, float]:
        some, is_same = odds[drawn], same[drawn]
        _, *equal = calibrations.equal_error(some, is_same)
        return np.mean(equal), (some[~is_same] >= threshold).mean(), (some[is_same] < threshold).mean()

    same, writers = first == second, np.union1d(first, second)
    random, drawn = np.random.default_rng(0), []
    while len(drawn) < RESAMPLES:
        times = np.bincount(random.choice(writers, len(writers)), minlength=writers.max() + 1)
        weight = np.where(same, times[first], times[first] * times[second])
        pair = np.repeat(np.arange(len(odds)), weight)
        if same[pair].any() and not same[pair].all():
            drawn.append(errors(pair))
    low, high = np.percentile(drawn, [2.5, 97.5], axis=0)
    found = {}
    for i, name in enumerate(("equal_error", "false_match", "false_non_match")):
        found |= {
            name: float(errors(np.arange(len(odds)))[i]),
            f"{name}_low": low[i],
            f"{name}_high": high[i],
        }
    return {name: float(value) for name, value in found.items()}


def _progress(some: Sequence[Form], name: str):
    return progress_bar(some, desc=name, unit=" pages", leave=False)
