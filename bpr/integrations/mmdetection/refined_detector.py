"""A detector of MMDetection and a refiner behind it, as one model.

Legend: H W image as it is on disk (``ori_shape``), h w the detector's input without padding (``img_shape``).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from mmdet.registry import MODELS as DETECTORS
from mmdet.structures import DetDataSample
from mmengine.model import BaseModel, ImgDataPreprocessor
from torch import Tensor

import bpr
from bpr.io.images import read_image
from bpr.refinement.refiner import Refiner
from bpr.training.registry import MODELS


@MODELS.register_module()
class RefinedDetector(BaseModel):
    """Gives MMDetection's test loop, hooks and metrics refined masks; boxes, scores and labels stay the detector's.

    The masks that the detector gave stay in the data sample, as ``coarse_instances``. In training it is the detector,
    whose checkpoints fit as they are.

    Args:
        detector: any instance segmentor's config.
        refiner: arguments of :func:`bpr.load`, or what it returns.
        min_score: masks of a lower score stay as they are (default: all are refined).
    """

    def __init__(
        self,
        detector: dict[str, Any],
        refiner: dict[str, Any] | Refiner,
        min_score: float = 0.0,
        init_cfg: dict[str, Any] | None = None,
    ) -> None:
        built = DETECTORS.build(detector)
        super().__init__(built.data_preprocessor, init_cfg)
        self.detector = built
        self.refiner = bpr.load(**refiner) if isinstance(refiner, dict) else refiner
        self.min_score = min_score
        self.register_load_state_dict_pre_hook(_below_detector)

    def forward(self, inputs: Any, data_samples: list[DetDataSample] | None = None, mode: str = "tensor") -> Any:
        found = self.detector(inputs, data_samples, mode=mode)
        return self._refined(inputs, found) if mode == "predict" else found

    def _refined(self, inputs: Tensor, samples: list[DetDataSample]) -> list[DetDataSample]:
        """The samples, in each the detector's instances and their refined copies."""
        sure = [sample.pred_instances.scores >= self.min_score for sample in samples]
        images = (self._image(pixels, sample) for pixels, sample in zip(inputs, samples, strict=True))
        masks = (sample.pred_instances.masks[own] for sample, own in zip(samples, sure, strict=True))
        for sample, own, refined in zip(samples, sure, self.refiner.stream(zip(images, masks, strict=True)), strict=True):
            sample.coarse_instances = sample.pred_instances
            sample.pred_instances = sample.pred_instances.clone()
            sample.pred_instances.masks = sample.coarse_instances.masks.clone()
            sample.pred_instances.masks[own] = refined
        return samples

    def _image(self, pixels: Tensor, sample: DetDataSample) -> np.ndarray:
        """The image file; where there is none on this disk, the detector's input brought back to the image's size."""
        path, frame = sample.metainfo.get("img_path"), sample.ori_shape[:2]
        if path and Path(path).is_file():
            return read_image(path, frame)
        height, width = sample.img_shape[:2]
        return cv2.resize(shown(pixels[:, :height, :width], self.data_preprocessor), frame[::-1], interpolation=cv2.INTER_LINEAR)


def shown(pixels: Tensor, preprocessor: ImgDataPreprocessor) -> np.ndarray:
    """(h, w, 3) uint8 RGB of a (3, h, w) input: what the preprocessor did to an image that was read as BGR, undone."""
    if preprocessor._enable_normalize:
        pixels = pixels * preprocessor.std + preprocessor.mean
    image = pixels.round().clamp(0, 255).byte().permute(1, 2, 0).cpu().numpy()
    return np.ascontiguousarray(image if preprocessor._channel_conversion else image[..., ::-1])


def _below_detector(model: RefinedDetector, state: dict[str, Any], prefix: str, *rest: Any) -> None:
    """Move the tensors of a detector's own checkpoint to where the detector is."""
    for name in [name for name in state if name.startswith(prefix) and not name.startswith(f"{prefix}detector.")]:
        state[f"{prefix}detector.{name.removeprefix(prefix)}"] = state.pop(name)
