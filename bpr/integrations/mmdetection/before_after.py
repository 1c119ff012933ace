"""Every metric of a test loop twice in one run: of the refined masks, and of the detector's coarse masks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmengine.evaluator import Evaluator
from mmengine.structures import BaseDataElement

from bpr.training.registry import EVALUATOR

BEFORE = "before"


@EVALUATOR.register_module()
class BeforeAfterEvaluator(Evaluator):
    """``metrics`` of the refined masks of a :class:`RefinedDetector` and, as ``before/...``, of its coarse masks.

    A metric that writes files (``outfile_prefix=work_dirs/results``) writes two sets of them:
    ``work_dirs/results.segm.json``, and ``work_dirs/results.before.segm.json`` with the coarse masks. Training patches
    are extracted from the latter.

    Args:
        metrics: the config of a metric, or a list of them.
    """

    def __init__(self, metrics: dict[str, Any] | Sequence[dict[str, Any]]) -> None:
        metrics = [metrics] if isinstance(metrics, dict) else metrics
        super().__init__(metrics)
        self._before = Evaluator([_with_other_files(metric) for metric in metrics])

    @Evaluator.dataset_meta.setter  # type: ignore[attr-defined]
    def dataset_meta(self, dataset_meta: dict[str, Any]) -> None:
        Evaluator.dataset_meta.fset(self, dataset_meta)  # type: ignore[attr-defined]
        self._before.dataset_meta = dataset_meta

    def process(self, data_samples: Sequence[BaseDataElement], data_batch: Any = None) -> None:
        after = [sample.to_dict() for sample in data_samples]
        super().process(after, data_batch)
        self._before.process([{**sample, "pred_instances": sample["coarse_instances"]} for sample in after], data_batch)

    def evaluate(self, size: int) -> dict[str, Any]:
        before = {f"{BEFORE}/{name}": value for name, value in self._before.evaluate(size).items()}
        return {**before, **super().evaluate(size)}


def _with_other_files(metric: dict[str, Any]) -> dict[str, Any]:
    """The metric's config with another prefix of its files.

    >>> _with_other_files({"type": "CocoMetric", "outfile_prefix": "work_dirs/results"})["outfile_prefix"]
    'work_dirs/results.before'
    """
    prefix = metric.get("outfile_prefix")
    return {**metric, "outfile_prefix": str(Path(f"{prefix}.{BEFORE}"))} if prefix else dict(metric)
