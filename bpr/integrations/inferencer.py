"""The refiner behind MMEngine's inferencer interface: images and masks in, ``{"predictions", "visualization"}`` out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np
from mmengine.dataset import pseudo_collate
from mmengine.infer import BaseInferencer

from bpr.backends import DEFAULT_MODEL, load_refiner
from bpr.geometry.masks import BoxMask
from bpr.geometry.rle import encode_mask
from bpr.io.files import write_json
from bpr.io.images import read_image
from bpr.refinement.mask_types import adapter_for
from bpr.refinement.refiner import Refiner
from bpr.report.draw import before_after, write_image


class RefinedImage(NamedTuple):
    """An image with its coarse and refined masks, of the caller's type; ``name`` is the stem of its output files."""

    name: str
    image: np.ndarray
    coarse: Any
    refined: Any


class BPRInferencer(BaseInferencer):
    """Refines masks exactly as the refiner of :func:`bpr.load` does, which is its ``model``.

    >>> inferencer = BPRInferencer("identity")
    >>> masks = np.zeros((1, 60, 80), bool); masks[0, 20:40, 30:60] = True
    >>> result = inferencer(np.zeros((60, 80, 3), np.uint8), masks, return_vis=True)
    >>> list(result["predictions"][0]), result["predictions"][0]["masks"][0]["size"], result["visualization"][0].dtype
    (['masks'], [60, 80], dtype('uint8'))

    Args:
        model: as for :func:`bpr.load`; unlike other inferencers, it comes before its config.
        config: as for :func:`bpr.load`.
        options: further arguments of :func:`bpr.load`.

    Raises:
        BPRError: as :func:`bpr.load`.
    """

    preprocess_kwargs: ClassVar[set[str]] = {"masks"}
    visualize_kwargs: ClassVar[set[str]] = {"return_vis", "img_out_dir"}
    postprocess_kwargs: ClassVar[set[str]] = {"pred_out_dir"}

    def __init__(
        self, model: str = DEFAULT_MODEL, config: str | None = None, *, show_progress: bool = False, **options: Any
    ) -> None:
        # The base class is not initialised: it would build a model from a training config.
        self.model: Refiner = load_refiner(model, config, **options)
        self.pipeline, self.collate_fn, self.visualizer = self._init_pipeline({}), pseudo_collate, None
        self.cfg: dict[str, Any] = {}
        self.scope, self.show_progress = "bpr", show_progress

    def __call__(
        self,
        inputs: Any,
        masks: Any,
        *,
        return_datasamples: bool = False,
        return_vis: bool = False,
        out_dir: str | Path | None = None,
        batch_size: int = 1,
    ) -> dict[str, Any]:
        """Refine one image or many.

        Args:
            inputs: an (H, W, 3) uint8 RGB array, a file, a folder, or a list of arrays and files.
            masks: the masks of one image, of any type that the refiner takes; for several images a list of those, for a
                folder in the order of file names.
            return_datasamples: return refined masks of the type of ``masks`` instead of lists of RLEs.
            return_vis: draw every image with its coarse and its refined masks.
            out_dir: also write predictions (``preds/``) and drawings (``vis/``) into this folder.
            batch_size: images that share the network's batches.

        Raises:
            ValueError: the numbers of images and masks differ, or the refiner raises it.
            BPRError: as the refiner.
        """
        folders = {}
        if out_dir is not None:
            folders = {"img_out_dir": Path(out_dir, "vis"), "pred_out_dir": Path(out_dir, "preds")}
        several = isinstance(inputs, (list, tuple)) or (isinstance(inputs, (str, Path)) and Path(inputs).is_dir())
        masks = masks if several else [masks]
        inputs = str(inputs) if isinstance(inputs, Path) else inputs
        return super().__call__(inputs, return_datasamples, batch_size, masks=masks, return_vis=return_vis, **folders)

    def _inputs_to_list(self, inputs: Any) -> list[Any]:
        return sorted(super()._inputs_to_list(inputs)) if isinstance(inputs, str) else super()._inputs_to_list(inputs)

    def _init_pipeline(self, cfg: Any) -> Callable[[Any], np.ndarray]:
        return lambda image: image if isinstance(image, np.ndarray) else read_image(image)

    def preprocess(
        self, inputs: list[Any], batch_size: int = 1, *, masks: Iterable[Any] = ()
    ) -> Iterator[list[RefinedImage]]:
        """Lists of ``batch_size`` images that are not refined yet."""
        masks = list(masks)
        if len(inputs) != len(masks):
            raise ValueError(
                f"masks: expected those of {len(inputs)} images, got {len(masks)}; "
                "an image without masks has an empty array"
            )
        images = zip(_names(inputs), map(self.pipeline, inputs), masks, strict=True)
        unrefined = (RefinedImage(name, image, coarse, coarse) for name, image, coarse in images)
        yield from self._get_chunk_data(unrefined, batch_size)

    def forward(self, inputs: list[RefinedImage]) -> list[RefinedImage]:
        refined = self.model.stream((one.image, one.coarse) for one in inputs)
        return [one._replace(refined=masks) for one, masks in zip(inputs, refined, strict=True)]

    def visualize(
        self,
        inputs: list[Any],
        preds: list[RefinedImage],
        return_vis: bool = False,
        img_out_dir: Path | None = None,
        **kwargs: Any,
    ) -> list[np.ndarray] | None:
        """Coarse and refined masks of every image side by side; None unless they are returned or written."""
        if not return_vis and img_out_dir is None:
            return None
        sides = ((one.image, _frames(one.coarse, one.image), _frames(one.refined, one.image)) for one in preds)
        pictures = [before_after(*images) for images in sides]
        for one, picture in zip(preds, pictures, strict=True):
            if img_out_dir is not None:
                write_image(img_out_dir / f"{one.name}.png", picture)
        return pictures if return_vis else None

    def postprocess(
        self,
        preds: list[RefinedImage],
        visualization: list[np.ndarray] | None,
        return_datasamples: bool = False,
        pred_out_dir: Path | None = None,
        **kwargs: Any,
    ) -> dict[str, Any]:
        """``predictions`` and ``visualization``; without ``return_datasamples``, predictions can be written as JSON."""
        plain = [{"masks": [encode_mask(mask) for mask in _masks(one.refined, one.image)]} for one in preds]
        for one, prediction in zip(preds, plain, strict=True):
            if pred_out_dir is not None:
                write_json(pred_out_dir / f"{one.name}.json", prediction)
        predictions = [one.refined for one in preds] if return_datasamples else plain
        return {"predictions": predictions, "visualization": visualization}


def _masks(masks: Any, image: np.ndarray) -> list[BoxMask]:
    return [instance.mask for instance in adapter_for(masks).read(masks, (image.shape[0], image.shape[1]))]


def _frames(masks: Any, image: np.ndarray) -> np.ndarray:
    """(N, H, W) bool."""
    return np.array([mask.to_frame() for mask in _masks(masks, image)], bool).reshape(-1, *image.shape[:2])


def _names(inputs: list[Any]) -> list[str]:
    """File stems, and numbers for arrays; a stem that occurs twice gets its number appended."""
    numbers = [f"{index:08d}" for index in range(len(inputs))]
    named = zip(numbers, inputs, strict=True)
    stems = [number if isinstance(one, np.ndarray) else Path(one).stem for number, one in named]
    return [stem if stems.count(stem) == 1 else f"{stem}_{number}" for stem, number in zip(stems, numbers, strict=True)]
