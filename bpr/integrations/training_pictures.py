"""Pictures of a training, in its work dir and in TensorBoard: what the network is given, and what it makes of masks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner

from bpr.evaluation.comparison import Comparison
from bpr.geometry.masks import BoxMask
from bpr.geometry.options import PatchSpec
from bpr.io.image_list import spread
from bpr.io.images import read_image
from bpr.report.draw import COARSE, REFINED, TRUTH, write_image
from bpr.report.tiles import Contours, captioned, close_up, sheet, square_around
from bpr.training.network.segmentor import PatchSegmentor
from bpr.training.network.unwrapping import network_of
from bpr.training.recipe.held_out import F_LABEL, HARM_LABEL
from bpr.training.recipe.validation import RefinementValLoop
from bpr.training.registry import HOOKS

BATCH_PICTURE, VALIDATION_PICTURE = "train_batch.jpg", "val_refined.jpg"
PATCHES, INSTANCES = 8, 12
"""A picture shows at most this many patches of a batch, or instances of the held-out set."""
SIDE, COLUMNS = 180, 4


@HOOKS.register_module()
class PictureHook(Hook):
    """Draw the first batch and one in ``interval`` with coarse, refined and true outlines, and instances at validation.

    Each picture replaces the last one in the work dir; TensorBoard, where it is installed, keeps all of them.
    """

    priority = "LOW"

    def __init__(self, interval: int = 500) -> None:
        self.interval = interval

    def after_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        if is_main_process() and (batch_idx == 0 or self.every_n_train_iters(runner, self.interval)):
            title = f"training batch at iteration {runner.iter + 1}"
            _publish(runner, BATCH_PICTURE, draw_batch(network_of(runner), data_batch, title))

    def after_val_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        loop = runner.val_loop
        if is_main_process() and isinstance(loop, RefinementValLoop) and loop.refined is not None:
            _publish(runner, VALIDATION_PICTURE, draw_validation(loop, metrics or {}, runner.iter))


def draw_batch(model: PatchSegmentor, batch: dict[str, Any], title: str) -> np.ndarray:
    """A sheet of the first patches of a batch, as the network gets them."""
    inputs = model.data_preprocessor.inputs
    patches = torch.stack(list(batch["inputs"][:PATCHES]))
    truths = torch.stack(list(batch["truth"][:PATCHES])).cpu().numpy()
    was_training = model.training
    model.eval()
    with torch.inference_mode():
        device = next(model.parameters()).device
        refined = model.probabilities(patches.to(device).permute(0, 2, 3, 1)).cpu().numpy() > 0.5
    model.train(was_training)
    pixels = patches.permute(0, 2, 3, 1).cpu().numpy()
    tiles = []
    for patch, truth, mask in zip(pixels, truths, refined, strict=True):
        outlines = [(mask, REFINED, 2), (truth > 0, TRUTH, 1)]
        if "mask" in inputs:
            channel = PatchSpec(inputs=tuple(inputs)).channel_of("mask")
            outlines.insert(0, (patch[..., channel] > 127, COARSE, 1))
        contours: Contours = [(BoxMask.from_frame(one), colour, width) for one, colour, width in outlines]
        side = patch.shape[0]
        tiles.append(close_up(np.ascontiguousarray(patch[..., :3]), (0, 0, side, side), SIDE, contours))
    return sheet(tiles, COLUMNS, title)


def draw_validation(loop: RefinementValLoop, metrics: dict[str, float], iteration: int) -> np.ndarray:
    """A sheet of held-out instances, the same ones at every validation."""
    comparison = Comparison(loop.held_out.coarse, loop.refined)
    mine = set(loop.own_images)
    rows = [row for row, pair in enumerate(comparison.pairs) if pair.image_id in mine]
    tiles = []
    for row in spread(rows, INSTANCES):
        masks = comparison.masks(row)
        three = (masks.coarse, COARSE, 1), (masks.refined, REFINED, 2), (masks.truth, TRUTH, 1)
        drawn: Contours = [item for item in three if item[0].pixels.size]
        box = square_around([mask.box for mask, _, _ in drawn], masks.truth.frame)
        image = read_image(loop.held_out.finder.path(comparison.pairs[row].image_id), masks.truth.frame)
        before, after = (side.mask_pairs[row].iou for side in (comparison.coarse, comparison.refined))
        tiles.append(captioned(close_up(image, box, SIDE, drawn), [f"IoU {100 * before:.1f} -> {100 * after:.1f}"]))
    before, after = (100 * metrics.get(f"{F_LABEL}/{side}", 0.0) for side in ("before", "after"))
    harm = 100 * metrics.get(HARM_LABEL, 0.0)
    title = f"iteration {iteration}: {F_LABEL} {before:.1f} -> {after:.1f}, {harm:.1f} % lost over a point of IoU"
    return sheet(tiles, COLUMNS, title)


def _publish(runner: Runner, name: str, picture: np.ndarray) -> None:
    write_image(Path(runner.work_dir) / name, picture)
    runner.visualizer.add_image(Path(name).stem, picture, step=runner.iter)
