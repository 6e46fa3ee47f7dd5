"""Learns from validation how sure answers may be. `calibration` says how that is used. No TensorFlow."""

import dataclasses
from typing import TYPE_CHECKING

import numpy as np

from iam_writer.common.names import COMBINATIONS
from iam_writer.recognition import calibration as calibrations
from iam_writer.recognition.calibration import Calibration
from iam_writer.recognition.seen import Seen

if TYPE_CHECKING:
    from pipelines.strips import Strips


def calibrate(
    known: Seen, train: "Strips", seen: Seen, validation: "Strips", combine: str = COMBINATIONS[0]
) -> Calibration:
    """Learns how sure to be from the validation lines, and how hands differ from the training lines.

    Args:
      known: what is said of the training lines. Only their embeddings are used.
      train: the training lines.
      seen: what is said of the validation lines.
      validation: the validation lines.
      combine: what the answer rule averages.
    """
    sizes = [size for size in calibrations.pieces_of_forms(validation.groups) if size]
    pooled, amounts = zip(*map(seen.pooled, sizes), strict=True)
    labels = [validation.labels[[piece[0] for piece in size]] for size in sizes]
    train_forms = calibrations.pieces_of_forms(train.groups, ())[-1]
    form_labels = train.labels[[form[0] for form in train_forms]]
    lines = calibrations.unit(known.embedded(np.arange(len(train))[:, None]))
    mean, projection = calibrations.fit_projection(lines, train.labels)

    form_hands = calibrations.unit((calibrations.unit(known.embedded(train_forms)) - mean) @ projection)
    hands = [form_hands[form_labels == writer].sum(axis=0) for writer in range(pooled[0].shape[1])]
    forms = len(sizes[-1])
    found = Calibration(
        temperature=calibrations.fit_temperature(
            np.concatenate(pooled), np.concatenate(amounts), np.concatenate(labels), forms
        ),
        amounts=np.ones(1),
        thresholds=np.zeros(1),
        lines=np.array(len(validation)),
        forms=np.array(forms),
        mean=mean,
        projection=projection,
        hands=calibrations.unit(np.array(hands)),
        pair=np.zeros(2),
        pair_threshold=np.array(0.0),
        pair_errors=np.ones(2),
        pairs=np.zeros(2, int),
        form_amount=np.array(np.median(amounts[-1])),
        combine=np.array(combine),
    )
    likeness = [
        found.likeness(seen.embedded(size), p.argmax(axis=1)) for size, p in zip(sizes, pooled, strict=True)
    ]
    knots, thresholds = calibrations.fit_thresholds(likeness, list(amounts))
    pairs = fit_pairs(
        (lines, train.labels),
        (seen.embedded(sizes[-1]), labels[-1]),
        (known.embedded(train_forms), form_labels),
    )
    return dataclasses.replace(found, amounts=knots, thresholds=thresholds, **pairs)


Labelled = tuple[np.ndarray, np.ndarray]
"""Mean embeddings float `[n, embedding]`, and whose they are, int `[n]`."""


def fit_pairs(lines: Labelled, forms: Labelled, others: Labelled, folds: int = 2) -> dict[str, np.ndarray]:
    """Learns from pairs of forms how to tell one hand from two.

    The projection is learnt from some of the writers, and the pairs are by the other writers. If both came from the same
    writers, their pairs would show hardly any errors, while pairs by strangers would show many.

    Args:
      lines: training lines; projections are learnt from them.
      forms: validation forms; every pair has one of them.
      others: training forms; the other form of a pair is one of them, or a validation form.
      folds: how many parts the writers are divided into.

    Returns:
      The fields of Calibration that begin with `pair`; an empty dict if not both kinds of pairs occur.
    """
    scores, same = [], []
    for fold in range(folds):
        kept = lines[1] % folds != fold
        if len(np.unique(lines[1][kept])) < 2:
            continue
        mean, projection = calibrations.fit_projection(lines[0][kept], lines[1][kept])
        hands, writers = [], []
        for embeddings, labels in (forms, others):
            of_fold = labels % folds == fold
            hands.append(calibrations.unit((calibrations.unit(embeddings[of_fold]) - mean) @ projection))
            writers.append(labels[of_fold])
        cosines = hands[0] @ np.concatenate(hands).T
        each_once = np.tri(*cosines.shape) == 0  # Of two validation forms, one order; and none with itself.
        scores.append(cosines[each_once])
        same.append((writers[0][:, None] == np.concatenate(writers)[None])[each_once])
    score, is_same = (np.concatenate([*parts, np.zeros(0)]) for parts in (scores, same))
    is_same = is_same.astype(bool)
    if is_same.all() or not is_same.any():
        return {}
    pair = calibrations.fit_logistic(score, is_same)
    threshold, *errors = calibrations.equal_error(score * pair[0] + pair[1], is_same)
    return {
        "pair": pair,
        "pair_threshold": np.array(threshold),
        "pair_errors": np.array(errors),
        "pairs": np.array([is_same.sum(), (~is_same).sum()]),
    }
