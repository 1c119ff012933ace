"""What a perfect refiner reaches (paper, table 1): the ground truth replaces the pixels near the coarse boundary."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from bpr.evaluation.comparison import Evaluation, Protocol
from bpr.evaluation.matching import GroundTruth
from bpr.evaluation.prepare import Detections, Document, prepare_detections
from bpr.evaluation.summary import evaluate
from bpr.io.image_finder import ImageFinder
from bpr.refinement.predictor import OraclePredictor
from bpr.refinement.refiner import Refiner
from bpr.refinement.runner import refine_records

METRICS = ("ap", "boundary-ap", "matched", "af-tp")
SHOWN = ("AP/", "AP50/", "BoundaryAP@", "IoU/", "BoundaryIoU@", "F@", "AF@2px")
"""Beginnings of the names that the table shows; the JSON file holds all numbers."""


def upper_bounds(
    coarse: Detections,
    document: Document,
    images: ImageFinder,
    protocol: Protocol,
    reaches: Sequence[int | None],
    workers: int,
    on_progress: Callable[[int], None],
) -> tuple[dict[str, float], list[dict[str, float]]]:
    """The numbers of the coarse masks, and of the masks that the oracle predictor makes of them in the whole pipeline.

    The oracle knows, for every detection, the annotated instance of its class that it overlaps most. Missed objects and
    wrong classes remain. All numbers of matched pairs use the pairs of the coarse masks.

    Args:
        reaches: how far from the boundary, in pixels, the oracle corrects; None: in whole patches.
    """
    matches = GroundTruth(document).matches(coarse.records)
    truths = {index: truth for index, (truth, _) in enumerate(matches) if truth is not None}
    evaluation = Evaluation(coarse, document, protocol)
    bounds = []
    for number, reach in enumerate(reaches):
        refiner, done = Refiner(OraclePredictor(truths, reach)), number * len(coarse.records)
        refined, _ = refine_records(coarse.records, images, refiner, workers, lambda count, done=done: on_progress(done + count))
        ideal = Evaluation(prepare_detections(refined, document, "oracle"), document, protocol, evaluation)
        bounds.append(_numbers(ideal))
    return _numbers(evaluation), bounds


def _numbers(evaluation: Evaluation) -> dict[str, float]:
    return {name: row.value for name, row in evaluate({Evaluation: evaluation}, metrics=METRICS).rows.items()}


def markdown(before: dict[str, float], reaches: Sequence[int | None], bounds: Sequence[dict[str, float]]) -> str:
    """A table with one row per reach, and the gain over the coarse masks in points."""
    names = [name for name in before if name.startswith(SHOWN)]
    head = f"| oracle within | {' | '.join(names)} |\n|---|{'---:|' * len(names)}"
    lines = [f"| nothing | {' | '.join(f'{100 * before[name]:.1f}' for name in names)} |"]
    for reach, bound in zip(reaches, bounds, strict=True):
        pairs = ((100 * bound[name], 100 * (bound[name] - before[name])) for name in names)
        cells = (f"{value:.1f} ({gain:+.1f})" for value, gain in pairs)
        lines.append(f"| {'inf' if reach is None else f'{reach} px'} | {' | '.join(cells)} |")
    return "\n".join([head, *lines]) + "\n"
