"""Validation by refining: refine the matched pairs of a held-out set and score their boundaries.

The mIoU of patches is a poor guide: it rises with the easy interior of the patches, and does not see how patches are
put back together.

Legend: N matched pairs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from mmengine.dist import all_reduce, broadcast, get_dist_info
from mmengine.runner import BaseLoop, Runner

from bpr.evaluation.comparison import Evaluation
from bpr.geometry.options import from_config
from bpr.refinement.refiner import Refiner
from bpr.training.network.unwrapping import network_of
from bpr.training.recipe.held_out import HeldOut, metrics_of
from bpr.training.registry import LOOPS
from bpr.training.torch_predictor import SegmentorPredictor


@LOOPS.register_module()
class RefinementValLoop(BaseLoop):
    """Refine a held-out set with the current network (its averaged weights, where there are any) and log the metrics.

    The metrics are those of :func:`~bpr.training.recipe.held_out.metrics_of`. Several processes divide the images among
    them, and all of them return the same metrics.

    Args:
        workers: threads that read images and cut patches.
        held_out: the arguments of :class:`~bpr.training.recipe.held_out.HeldOut`.

    Attributes:
        own_images: the ids of the images that this process refined last.
        refined: their masks; None before the first validation.

    Raises:
        BPRError: as the held-out set.
    """

    def __init__(
        self, runner: Runner, dataloader: dict[str, Any], evaluator: dict[str, Any], workers: int = 2, **held_out: Any
    ) -> None:
        # MMEngine validates only where val_dataloader, val_evaluator and val_cfg are all set. The first two are empty
        # in configs, because this loop reads whole images and scores whole masks. MMEngine's log takes the length of
        # the loop's dataloader, so the list of image ids stands for it.
        self.held_out = HeldOut(**held_out)
        super().__init__(runner, self.held_out.image_ids)
        self.workers = workers
        self.own_images: Sequence[Any] = ()
        self.refined: Evaluation | None = None

    def run(self) -> dict[str, float]:
        self.runner.call_hook("before_val")
        self.runner.call_hook("before_val_epoch")
        rank, processes = get_dist_info()
        self.own_images = self.held_out.image_ids[rank::processes]
        model = network_of(self.runner)
        # Unless BatchNorm is synchronised, its statistics differ between processes; checkpoints hold the first one's.
        for buffer in model.buffers():
            broadcast(buffer)
        # The training loop puts the network back into training mode.
        refiner = Refiner(SegmentorPredictor(model.eval(), *from_config(self.runner.cfg.refinement, "test")))
        own_scores, self.refined = self.held_out.refine(refiner, self.workers, self.own_images)
        scores = torch.from_numpy(own_scores)
        all_reduce(scores)
        metrics = metrics_of(self.held_out.before, scores.numpy())
        self.runner.call_hook("after_val_epoch", metrics=metrics)
        self.runner.call_hook("after_val")
        return metrics
