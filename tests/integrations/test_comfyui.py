"""The node for ComfyUI keeps ComfyUI's contract: tensors of its layouts in, the masks of ``bpr.load`` out."""

from __future__ import annotations

import numpy as np
import pytest

import bpr
from bpr.errors import BadInput
from bpr.scenes import coarse_masks, paint_scene

pytest.importorskip("torch", reason="ComfyUI runs on torch (the [train] extra)")
import torch

from bpr.integrations.comfyui import NODE_CLASS_MAPPINGS, NODE_DISPLAY_NAME_MAPPINGS

MODEL = "starter-fast"
SCENE = paint_scene(4, (120, 160))
MASKS = np.array([mask.to_frame() for mask in coarse_masks(SCENE, "mask_head")])
IMAGE = torch.from_numpy(SCENE.image)[None].float() / 255


def refined(image: torch.Tensor, masks: torch.Tensor) -> torch.Tensor:
    """As ComfyUI calls a node: by the names that it declares."""
    node = NODE_CLASS_MAPPINGS["BPRRefineMask"]()
    given = dict(zip(node.INPUT_TYPES()["required"], (image, masks, MODEL), strict=True))
    [answer] = getattr(node, node.FUNCTION)(**given)
    return answer


def test_the_node_declares_what_it_takes() -> None:
    node = NODE_CLASS_MAPPINGS["BPRRefineMask"]
    kinds = {name: kind for name, (kind, *_) in node.INPUT_TYPES()["required"].items()}
    assert (kinds["image"], kinds["mask"], node.RETURN_TYPES) == ("IMAGE", "MASK", ("MASK",))
    assert "starter" in kinds["model"]
    assert set(NODE_DISPLAY_NAME_MAPPINGS) == set(NODE_CLASS_MAPPINGS)


def test_the_masks_of_one_image_are_those_of_bpr_load() -> None:
    expected = bpr.load(MODEL)(SCENE.image, MASKS)
    answer = refined(IMAGE, torch.from_numpy(MASKS).float())
    assert answer.dtype == torch.float32
    assert np.array_equal(answer.numpy(), expected)
    with_alpha = torch.cat([IMAGE, IMAGE[..., :1]], dim=-1)
    assert np.array_equal(refined(with_alpha, torch.from_numpy(MASKS[0]).float()).numpy(), bpr.load(MODEL)(SCENE.image, MASKS[:1]))


def test_a_batch_of_images_has_a_mask_each_or_one_for_all() -> None:
    images = torch.cat([IMAGE, IMAGE.flip(2)])
    masks = torch.from_numpy(np.stack([MASKS[0], MASKS[0][:, ::-1]])).float()
    each, one = refined(images, masks), refined(images, masks[:1])
    expected = [bpr.load(MODEL)(image, MASKS[0]) for image in (SCENE.image, np.ascontiguousarray(SCENE.image[:, ::-1]))]
    assert np.array_equal(one.numpy(), np.array(expected))
    assert np.array_equal(each[0].numpy(), expected[0])
    assert not torch.equal(each[1], one[1])


@pytest.mark.parametrize(
    ("images", "masks", "line"),
    [
        (IMAGE, torch.zeros(1, 64, 64), "mask: expected 160x120 pixels (width x height) as the image, got 64x64; scale the mask"),
        (
            IMAGE.expand(3, -1, -1, -1), torch.zeros(2, 120, 160),
            "mask: expected one mask for each of 3 images, or one for all, got 2; connect as many masks as images",
        ),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_one_line(images: torch.Tensor, masks: torch.Tensor, line: str) -> None:
    with pytest.raises(BadInput) as caught:
        refined(images, masks)
    assert str(caught.value) == line
