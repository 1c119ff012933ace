"""A node for ComfyUI: an image and coarse masks in, refined masks out.

ComfyUI loads every file in its folder ``custom_nodes``. A file there with this one line adds the node::

    from bpr.integrations.comfyui import NODE_CLASS_MAPPINGS, NODE_DISPLAY_NAME_MAPPINGS
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, ClassVar

import torch

from bpr.backends import DEFAULT_MODEL, load_refiner, named_models
from bpr.errors import BadInput

load_once = lru_cache(maxsize=2)(load_refiner)
"""A workflow calls the node again and again."""


class RefineMask:
    """The node. ComfyUI reads its class attributes and calls :meth:`refine`."""

    CATEGORY: ClassVar = "mask"
    DESCRIPTION: ClassVar = "Better boundaries for coarse masks. Masks that are good already stay as they are."
    RETURN_TYPES: ClassVar = ("MASK",)
    FUNCTION: ClassVar = "refine"

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        models = [name for name in named_models() if not name.endswith(".int8")]
        return {"required": {"image": ("IMAGE",), "mask": ("MASK",), "model": (models, {"default": DEFAULT_MODEL})}}

    def refine(self, image: torch.Tensor, mask: torch.Tensor, model: str = DEFAULT_MODEL) -> tuple[torch.Tensor]:
        """Refine masks.

        Args:
            image: (B, H, W, 3) or (B, H, W, 4) float in [0, 1]; alpha is ignored.
            mask: (M, H, W) or (H, W) float in [0, 1], foreground above one half. For one image they are masks of its
                objects; for several images there is one mask for each, or one for all.

        Returns:
            The (N, H, W) refined masks, 0 and 1, on the device of ``mask``; N is the larger of B and M.

        Raises:
            BadInput: numbers or sizes that do not fit.
        """
        masks, refiner = mask[None] if mask.ndim == 2 else mask, load_once(model)
        pixels = (image[..., :3].clamp(0, 1) * 255).round().to(torch.uint8).cpu().numpy()
        if masks.shape[1:] != image.shape[1:3]:
            expected, got = (f"{tensor[2]}x{tensor[1]}" for tensor in (image.shape, masks.shape))
            raise BadInput(f"mask: expected {expected} pixels (width x height) as the image, got {got}; scale the mask")
        if len(pixels) == 1:
            return (refiner(pixels[0], masks),)
        if len(masks) not in (1, len(pixels)):
            expected = f"one mask for each of {len(pixels)} images, or one for all"
            raise BadInput(f"mask: expected {expected}, got {len(masks)}; connect as many masks as images")
        pairs = zip(pixels, masks.expand(len(pixels), -1, -1), strict=True)
        return (torch.stack(list(refiner.stream(pairs))),)


NODE_CLASS_MAPPINGS = {"BPRRefineMask": RefineMask}
NODE_DISPLAY_NAME_MAPPINGS = {"BPRRefineMask": "Refine Mask (BPR)"}
