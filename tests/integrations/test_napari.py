"""The widget for napari puts a layer of refined labels beside the given one."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import bpr
from bpr.errors import BadInput
from bpr.integrations.napari import refine_labels
from bpr.scenes import coarse_masks, paint_scene

MODEL = "starter-fast"
SCENE = paint_scene(4, (120, 160))
LABELS = np.zeros((120, 160), np.int32)
for number, coarse in enumerate(coarse_masks(SCENE, "mask_head"), 1):
    LABELS[coarse.to_frame()] = 10 * number
REFINED = bpr.load(MODEL)(SCENE.image, LABELS)


def layer(data: np.ndarray, rgb: bool = False) -> Any:
    """What the widget reads of a layer."""
    return SimpleNamespace(data=data, rgb=rgb, name="cells", scale=np.ones(2), translate=np.zeros(2))


def test_the_layer_is_what_bpr_load_makes() -> None:
    data, placed, kind = refine_labels(layer(SCENE.image, rgb=True), layer(LABELS), MODEL)
    assert (kind, placed["name"], data.dtype) == ("labels", "cells, refined", np.int32)
    assert np.array_equal(data, REFINED)
    assert not np.array_equal(data, LABELS)


def test_a_stack_is_refined_slice_by_slice() -> None:
    grey = SCENE.image.mean(axis=2).astype(np.uint8)
    data, *_ = refine_labels(layer(np.stack([grey, grey.T.copy().T])), layer(np.stack([LABELS, 0 * LABELS])), MODEL)
    assert np.array_equal(data, [bpr.load(MODEL)(grey, LABELS), 0 * LABELS])


def test_layers_of_other_sizes_are_one_line() -> None:
    with pytest.raises(BadInput, match=r"labels: expected a layer of \(120, 160\) as the image, got \(119, 160\); choose its own image"):
        refine_labels(layer(SCENE.image, rgb=True), layer(LABELS[1:]), MODEL)


def test_napari_makes_a_widget_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """With napari's own layers and Qt without a screen. The viewer's canvas needs a screen."""
    monkeypatch.setenv("QT_QPA_PLATFORM", "offscreen")
    layers = pytest.importorskip("napari.layers", reason="napari is not installed")
    from magicgui import magicgui

    widget = magicgui(refine_labels)
    assert [part.name for part in widget] == ["image", "labels", "model", "call_button"]
    assert widget.model.value == "starter"
    data, placed, kind = widget(layers.Image(SCENE.image, rgb=True), layers.Labels(LABELS, scale=(2, 2)), MODEL)
    assert np.array_equal(data, REFINED)
    added = layers.Layer.create(data, placed, kind)
    assert np.array_equal(added.scale, [2, 2])
