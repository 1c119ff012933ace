"""MMEngine's way to call the refiner: images and masks in, ``{"predictions", "visualization"}`` out."""

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


class Refined(NamedTuple):
    """One image on its way out; ``name`` is what its files are called."""

    name: str
    image: np.ndarray
    before: Any
    after: Any


class BPRInferencer(BaseInferencer):
    """Refines masks as :func:`bpr.load`'s refiner does, which is its ``model``, bit for bit.

    >>> inferencer = BPRInferencer("identity")
    >>> masks = np.zeros((1, 60, 80), bool); masks[0, 20:40, 30:60] = True
    >>> result = inferencer(np.zeros((60, 80, 3), np.uint8), masks, return_vis=True)
    >>> list(result["predictions"][0]), result["predictions"][0]["masks"][0]["size"], result["visualization"][0].dtype
    (['masks'], [60, 80], dtype('uint8'))

    Args:
        model: as for :func:`bpr.load`; unlike other inferencers, it comes before its config.
        config: as for :func:`bpr.load`.
        options: further arguments of :func:`bpr.load`.
    """

    preprocess_kwargs: ClassVar[set[str]] = {"masks"}
    visualize_kwargs: ClassVar[set[str]] = {"return_vis", "img_out_dir"}
    postprocess_kwargs: ClassVar[set[str]] = {"pred_out_dir"}

    def __init__(self, model: str = DEFAULT_MODEL, config: str | None = None, *, show_progress: bool = False, **options: Any) -> None:
        # The base class would build a model from a training config; ours comes from a name or a file without one.
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
            masks: whatever the refiner takes, for one image; for a list or a folder (by file name) a list of those.
            return_datasamples: predictions are of the type of ``masks``, not lists of RLEs.
            return_vis: draw every image before and after.
            out_dir: also write predictions (``preds/``) and drawings (``vis/``) there.
            batch_size: images that share the network's batches.

        Raises:
            ValueError, BPRError: as the refiner; not as many masks as images.
        """
        folders = {} if out_dir is None else {"img_out_dir": Path(out_dir, "vis"), "pred_out_dir": Path(out_dir, "preds")}
        several = isinstance(inputs, (list, tuple)) or (isinstance(inputs, (str, Path)) and Path(inputs).is_dir())
        given = masks if several else [masks]
        inputs = str(inputs) if isinstance(inputs, Path) else inputs
        return super().__call__(inputs, return_datasamples, batch_size, masks=given, return_vis=return_vis, **folders)

    def _inputs_to_list(self, inputs: Any) -> list[Any]:
        return sorted(super()._inputs_to_list(inputs)) if isinstance(inputs, str) else super()._inputs_to_list(inputs)

    def _init_pipeline(self, cfg: Any) -> Callable[[Any], np.ndarray]:
        return lambda image: image if isinstance(image, np.ndarray) else read_image(image)

    def preprocess(self, inputs: list[Any], batch_size: int = 1, *, masks: Iterable[Any] = ()) -> Iterator[list[Refined]]:
        """Lists of ``batch_size`` images that are not refined yet."""
        masks = list(masks)
        if len(inputs) != len(masks):
            raise ValueError(f"masks: expected those of {len(inputs)} images, got {len(masks)}; an image without masks has an empty array")
        given = zip(_names(inputs), map(self.pipeline, inputs), masks, strict=True)
        yield from self._get_chunk_data((Refined(name, image, own, own) for name, image, own in given), batch_size)

    def forward(self, inputs: list[Refined]) -> list[Refined]:
        refined = self.model.stream((one.image, one.before) for one in inputs)
        return [one._replace(after=after) for one, after in zip(inputs, refined, strict=True)]

    def visualize(
        self, inputs: list[Any], preds: list[Refined], return_vis: bool = False, img_out_dir: Path | None = None, **kwargs: Any
    ) -> list[np.ndarray] | None:
        """Coarse and refined masks of every image side by side, None where nobody wants them."""
        if not return_vis and img_out_dir is None:
            return None
        pictures = [before_after(one.image, _frames(one.before, one.image), _frames(one.after, one.image)) for one in preds]
        for one, picture in zip(preds, pictures, strict=True):
            if img_out_dir is not None:
                write_image(img_out_dir / f"{one.name}.png", picture)
        return pictures if return_vis else None

    def postprocess(
        self,
        preds: list[Refined],
        visualization: list[np.ndarray] | None,
        return_datasamples: bool = False,
        pred_out_dir: Path | None = None,
        **kwargs: Any,
    ) -> dict[str, Any]:
        """``predictions`` and ``visualization``; without ``return_datasamples`` the former can be written as JSON."""
        plain = [{"masks": [encode_mask(mask) for mask in _masks(one.after, one.image)]} for one in preds]
        for one, prediction in zip(preds, plain, strict=True):
            if pred_out_dir is not None:
                write_json(pred_out_dir / f"{one.name}.json", prediction)
        return {"predictions": [one.after for one in preds] if return_datasamples else plain, "visualization": visualization}


def _masks(masks: Any, image: np.ndarray) -> list[BoxMask]:
    return [instance.mask for instance in adapter_for(masks).read(masks, (image.shape[0], image.shape[1]))]


def _frames(masks: Any, image: np.ndarray) -> np.ndarray:
    """(N, H, W) bool."""
    return np.array([mask.to_frame() for mask in _masks(masks, image)], bool).reshape(-1, *image.shape[:2])


def _names(inputs: list[Any]) -> list[str]:
    """File stems, numbers for arrays; a stem that comes twice gets its number as well."""
    numbers = [f"{index:08d}" for index in range(len(inputs))]
    stems = [number if isinstance(one, np.ndarray) else Path(one).stem for number, one in zip(numbers, inputs, strict=True)]
    return [stem if stems.count(stem) == 1 else f"{stem}_{number}" for stem, number in zip(stems, numbers, strict=True)]
