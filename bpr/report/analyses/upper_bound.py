"""What a perfect refiner would reach (paper, table 1): pixels near the coarse boundary are replaced by the truth."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from bpr.evaluation.case import Case, Protocol
from bpr.evaluation.inputs import Detections, Document, check_detections
from bpr.evaluation.summary import evaluate
from bpr.formats.ground_truth import GroundTruth
from bpr.io.images import ImageFinder
from bpr.refinement.predictor import OraclePredictor
from bpr.refinement.refiner import Refiner
from bpr.refinement.runner import refine_records

METRICS = ("ap", "boundary-ap", "matched", "af-tp")
SHOWN = ("AP/", "AP50/", "BoundaryAP@", "IoU/", "BoundaryIoU@", "F@", "AF@2px")
"""In the table; all are in the file."""


@dataclass(frozen=True)
class Bound:
    """The oracle that corrects pixels within ``reach`` of the boundary (None: whole patches), and its numbers by name."""

    reach: int | None
    numbers: dict[str, float]

    @property
    def label(self) -> str:
        return "inf" if self.reach is None else f"{self.reach} px"


def upper_bounds(
    coarse: Detections,
    document: Document,
    images: ImageFinder,
    protocol: Protocol,
    reaches: Sequence[int | None] = (1, 2, 3, None),
    workers: int = 2,
    on_progress: Callable[[int], None] = lambda done: None,
) -> tuple[dict[str, float], list[Bound]]:
    """The numbers of the coarse masks, and of what the oracle predictor makes of them through the whole pipeline.

    Every detection gets the truth of the annotated instance of its class that it overlaps most; misses and wrong classes
    stay. The matched pairs are those of the coarse masks for all rows.
    """
    matches = GroundTruth(document).matches(coarse.records)
    truths = {index: truth for index, (truth, _) in enumerate(matches) if truth is not None}
    case = Case(coarse, document, protocol)
    bounds = []
    for number, reach in enumerate(reaches):
        refiner = Refiner(OraclePredictor(truths, reach))
        advance = partial(_advance, on_progress, number * len(coarse.records))
        refined, _ = refine_records(coarse.records, images, refiner, workers, advance)
        ideal = Case(check_detections(refined, document, "oracle"), document, protocol, case)
        bounds.append(Bound(reach, _numbers(ideal)))
    return _numbers(case), bounds


def _advance(on_progress: Callable[[int], None], done: int, more: int) -> None:
    on_progress(done + more)


def _numbers(case: Case) -> dict[str, float]:
    return {name: row.value for name, row in evaluate({Case: case}, metrics=METRICS).rows.items()}


def markdown(before: dict[str, float], bounds: Sequence[Bound]) -> str:
    """One row per reach, with the gain over no refinement in points."""
    names = [name for name in before if name.startswith(SHOWN)]
    head = f"| oracle within | {' | '.join(names)} |\n|---|{'---:|' * len(names)}"
    lines = [f"| nothing | {' | '.join(f'{100 * before[name]:.1f}' for name in names)} |"]
    for bound in bounds:
        cells = (f"{100 * bound.numbers[name]:.1f} ({100 * (bound.numbers[name] - before[name]):+.1f})" for name in names)
        lines.append(f"| {bound.label} | {' | '.join(cells)} |")
    return "\n".join([head, *lines]) + "\n"
