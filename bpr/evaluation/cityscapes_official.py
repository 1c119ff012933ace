"""Cityscapes' instance AP by its own scripts, fed with what this package reads.

The scripts match and score; folders, lists and averages are ours, so that their known breakages do not reach a user
(nothing is written, no file is looked for in the working directory):

- numpy names that are gone, and numpy integers that do not become JSON (:mod:`bpr.evaluation.old_numpy`; no JSON is written);
- a crash when every instance is found by none and every prediction is ignored (cityscapesScripts, issue 89): nothing is
  left to be scored, instances are missed, the AP is 0.
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
from bpr.evaluation.measured import NOTHING
from bpr.evaluation.old_numpy import old_numpy
from bpr.formats.cityscapes import ListedMask, list_files, read_list, stem_of, truth_files

LEAST_PIXELS = 100
OVERLAPS = np.arange(0.5, 1.0, 0.05)


def official_precision(predictions: Path, truth: Path) -> dict[str, float]:
    """``AP`` and ``AP50``, and by class ``AP/car``, ``AP50/car``, ..., each in [0, 1]; -1 for a class without an instance.

    Args:
        predictions: folder of instance lists and PNGs.
        truth: folder with ``*_gtFine_instanceIds.png``, as ``gtFine/val``; all of its images count.

    Raises:
        BPRError: cityscapesscripts is not installed; an image without a list; a label that Cityscapes does not have.
    """
    scripts = _package()
    truths, lists = truth_files(truth), {stem_of(path): path for path in list_files(predictions)}
    missing = [stem for stem in truths if stem not in lists]
    if missing:
        raise BPRError(f"{predictions}: expected a list (<stem>_pred.txt, which may be empty) for every image, got none for {missing[0]}")
    args = SimpleNamespace(instLabels=[], overlaps=OVERLAPS, **_everywhere())
    scripts.setInstanceLabels(args)
    with old_numpy(scripts), contextlib.redirect_stdout(io.StringIO()):
        matches = {stem: _match(scripts, png, read_list(lists[stem]), args) for stem, png in truths.items()}
        scores = np.array([_class_precisions(scripts, matches, label) for label in args.instLabels])
    return _averages(scores, args.instLabels)


def _package() -> Any:
    try:
        return importlib.import_module("cityscapesscripts.evaluation.evalInstanceLevelSemanticLabeling")
    except ImportError as error:
        raise BPRError(f"metric cityscapes-ap: expected the cityscapesscripts package, got none; {install_hint('cityscapes')}") from error


def _everywhere() -> dict[str, Any]:
    """Instances of LEAST_PIXELS and more at any distance: the one range that counts without disparities."""
    infinite = np.array([np.inf])
    return {"minRegionSizes": np.array([LEAST_PIXELS]), "distanceThs": infinite, "distanceConfs": -infinite, "distanceAvailable": False}


def _match(scripts: Any, png: Path, listed: Sequence[ListedMask], args: SimpleNamespace) -> dict[str, Any]:
    """The scripts' match of one image."""
    for item in listed:
        if item.label not in scripts.id2label:
            raise BPRError(f"{item.png}: expected a label id of Cityscapes in its list, got {item.label}")
    instances = scripts.filterGtInstances(next(iter(scripts.instances2dict([str(png)]).values())), args)
    masks = {str(item.png): {"labelID": item.label, "conf": item.score} for item in listed}
    with scripts.Image.open(png) as image:
        truth, predicted = scripts.assignGt2Preds(instances, image, masks, args)
    return {"groundTruth": truth, "prediction": predicted}


def _class_precisions(scripts: Any, matches: dict[str, Any], label: str) -> list[float]:
    """AP of one class at every overlap; NaN where it has no instance."""
    found = []
    for overlap in OVERLAPS:
        args = SimpleNamespace(instLabels=[label], overlaps=np.array([overlap]), **_everywhere())
        try:
            found.append(float(scripts.evaluateMatches(matches, args).item()))
        except IndexError:  # instances and predictions, and nothing left to be scored
            found.append(0.0)
    return found


def _averages(scores: np.ndarray, labels: Sequence[str]) -> dict[str, float]:
    """Means over the classes that have an instance."""
    have = ~np.isnan(scores).any(axis=1)
    found = {"AP": scores[have].mean(), "AP50": scores[have, 0].mean()} if have.any() else {"AP": NOTHING, "AP50": NOTHING}
    for label, own, known in zip(labels, scores, have, strict=True):
        found |= {f"AP/{label}": own.mean() if known else NOTHING, f"AP50/{label}": own[0] if known else NOTHING}
    return {name: float(value) for name, value in found.items()}
