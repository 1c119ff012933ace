"""Cityscapes' instance AP by the official scripts.

The scripts match and score. This module finds the files and averages the scores, so that known defects of the scripts
do not reach a user:

- They use removed names of numpy (see :mod:`bpr.evaluation.old_numpy`), and write JSON that cannot hold numpy's
  integers.
- They look for files in the working directory.
- They crash if no instance is detected and every prediction is ignored (cityscapesScripts, issue 89). The AP is then 0.
"""

from __future__ import annotations

import contextlib
import importlib
import io
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from bpr.errors import BPRError, install_hint
from bpr.evaluation.bootstrap import NOTHING
from bpr.evaluation.old_numpy import old_numpy
from bpr.formats.cityscapes import ListedMask, list_files, read_list, stem_of, truth_files

SMALLEST_INSTANCE = 100
"""Pixels; the scripts ignore smaller instances."""
OVERLAPS = np.arange(0.5, 1.0, 0.05)
"""The IoU thresholds."""
RANGES: dict[str, Any] = {
    "minRegionSizes": np.array([SMALLEST_INSTANCE]),
    "distanceThs": np.array([np.inf]),
    "distanceConfs": np.array([-np.inf]),
    "distanceAvailable": False,
}
"""One range of instances: SMALLEST_INSTANCE pixels and more, at any distance, because no disparities are given."""


def official_precision(predictions: Path, truth: Path) -> dict[str, float]:
    """``AP`` and ``AP50``, and for each class ``AP/car``, ``AP50/car``, ...; in [0, 1], or -1 without an instance.

    Args:
        predictions: folder of instance lists and PNGs.
        truth: folder with ``*_gtFine_instanceIds.png``, such as ``gtFine/val``; all of its images count.

    Raises:
        BPRError: cityscapesscripts is not installed; an image without a list; a label that Cityscapes does not have.
    """
    try:
        scripts: Any = importlib.import_module("cityscapesscripts.evaluation.evalInstanceLevelSemanticLabeling")
    except ImportError as error:
        hint = install_hint("cityscapes")
        raise BPRError(f"metric cityscapes-ap: expected the cityscapesscripts package, got none; {hint}") from error
    truths, lists = truth_files(truth), {stem_of(path): path for path in list_files(predictions)}
    missing = [stem for stem in truths if stem not in lists]
    if missing:
        raise BPRError(
            f"{predictions}: expected a list (<stem>_pred.txt, which may be empty) for every image, "
            f"got none for {missing[0]}"
        )
    args = SimpleNamespace(instLabels=[], overlaps=OVERLAPS, **RANGES)
    scripts.setInstanceLabels(args)
    with old_numpy(scripts), contextlib.redirect_stdout(io.StringIO()):
        matches = {stem: _match(scripts, png, read_list(lists[stem]), args) for stem, png in truths.items()}
        scores = np.array([_class_precisions(scripts, matches, label) for label in args.instLabels])
    return _averages(scores, args.instLabels)


def _match(scripts: Any, png: Path, listed: Sequence[ListedMask], args: SimpleNamespace) -> dict[str, Any]:
    for item in listed:
        if item.label not in scripts.id2label:
            raise BPRError(f"{item.png}: expected a label id of Cityscapes in its list, got {item.label}")
    instances = scripts.filterGtInstances(next(iter(scripts.instances2dict([str(png)]).values())), args)
    masks = {str(item.png): {"labelID": item.label, "conf": item.score} for item in listed}
    with scripts.Image.open(png) as image:
        truth, predicted = scripts.assignGt2Preds(instances, image, masks, args)
    return {"groundTruth": truth, "prediction": predicted}


def _class_precisions(scripts: Any, matches: dict[str, Any], label: str) -> list[float]:
    """AP of one class at every overlap; NaN without an instance."""
    precisions = []
    for overlap in OVERLAPS:
        args = SimpleNamespace(instLabels=[label], overlaps=np.array([overlap]), **RANGES)
        try:
            precisions.append(float(scripts.evaluateMatches(matches, args).item()))
        except IndexError:  # there are instances and predictions, but every prediction is ignored
            precisions.append(0.0)
    return precisions


def _averages(scores: np.ndarray, labels: Sequence[str]) -> dict[str, float]:
    """Means over the classes that have an instance."""
    known = ~np.isnan(scores).any(axis=1)
    parts = {"": scores[known]} | {f"/{label}": row[None] for label, row in zip(labels, scores, strict=True)}
    numbers = {}
    for name, rows in parts.items():
        measured = rows.size and not np.isnan(rows).any()
        numbers[f"AP{name}"] = float(rows.mean()) if measured else NOTHING
        numbers[f"AP50{name}"] = float(rows[:, 0].mean()) if measured else NOTHING
    return numbers
