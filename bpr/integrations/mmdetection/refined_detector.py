"""A detector of MMDetection with a refiner behind it, as one model.

Legend: H W image on disk (``ori_shape``), h w the detector's input without padding (``img_shape``).
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
    """A detector whose masks are refined before MMDetection's test loop, hooks and metrics see them.

    Boxes, scores and labels stay the detector's. Its instances with their coarse masks are kept in the data sample as
    ``coarse_instances``. In training, this model is the detector; checkpoints of the detector load as they are.

    Args:
        detector: config of any instance segmentor.
        refiner: arguments of :func:`bpr.load`, or the refiner that it returns.
        min_score: masks of a lower score are not refined (default: all are refined).
    """

    def __init__(
        self,
        detector: dict[str, Any],
        refiner: dict[str, Any] | Refiner,
        min_score: float = 0.0,
        init_cfg: dict[str, Any] | None = None,
    ) -> None:
        detector_model = DETECTORS.build(detector)
        super().__init__(detector_model.data_preprocessor, init_cfg)
        self.detector = detector_model
        self.refiner = bpr.load(**refiner) if isinstance(refiner, dict) else refiner
        self.min_score = min_score
        self.register_load_state_dict_pre_hook(_move_to_detector)

    def forward(self, inputs: Any, data_samples: list[DetDataSample] | None = None, mode: str = "tensor") -> Any:
        output = self.detector(inputs, data_samples, mode=mode)
        return self._refined(inputs, output) if mode == "predict" else output

    def _refined(self, inputs: Tensor, samples: list[DetDataSample]) -> list[DetDataSample]:
        """The samples, each with the detector's instances and refined copies of them."""
        chosen = [sample.pred_instances.scores >= self.min_score for sample in samples]
        images = (self._image(pixels, sample) for pixels, sample in zip(inputs, samples, strict=True))
        masks = (sample.pred_instances.masks[selected] for sample, selected in zip(samples, chosen, strict=True))
        refined = self.refiner.stream(zip(images, masks, strict=True))
        for sample, selected, refined_masks in zip(samples, chosen, refined, strict=True):
            sample.coarse_instances = sample.pred_instances
            sample.pred_instances = sample.pred_instances.clone()
            sample.pred_instances.masks = sample.coarse_instances.masks.clone()
            sample.pred_instances.masks[selected] = refined_masks
        return samples

    def _image(self, pixels: Tensor, sample: DetDataSample) -> np.ndarray:
        """The image file; where it is not on this machine, the detector's input resized to the image's size."""
        path, frame = sample.metainfo.get("img_path"), sample.ori_shape[:2]
        if path and Path(path).is_file():
            return read_image(path, frame)
        height, width = sample.img_shape[:2]
        image = without_preprocessing(pixels[:, :height, :width], self.data_preprocessor)
        return cv2.resize(image, frame[::-1], interpolation=cv2.INTER_LINEAR)


def without_preprocessing(pixels: Tensor, preprocessor: ImgDataPreprocessor) -> np.ndarray:
    """(h, w, 3) uint8 RGB of a (3, h, w) input: reverses the preprocessing of an image that was read as BGR."""
    if preprocessor._enable_normalize:
        pixels = pixels * preprocessor.std + preprocessor.mean
    image = pixels.round().clamp(0, 255).byte().permute(1, 2, 0).cpu().numpy()
    return np.ascontiguousarray(image if preprocessor._channel_conversion else image[..., ::-1])


def _move_to_detector(model: RefinedDetector, state: dict[str, Any], prefix: str, *rest: Any) -> None:
    """Rename the tensors of a detector's checkpoint to those of ``self.detector``."""
    for name in [name for name in state if name.startswith(prefix) and not name.startswith(f"{prefix}detector.")]:
        state[f"{prefix}detector.{name.removeprefix(prefix)}"] = state.pop(name)
