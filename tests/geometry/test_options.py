import json

import numpy as np
import pytest

from bpr.geometry.options import (
    PatchSpec,
    Placement,
    RefineOptions,
    command_options,
    from_config,
    from_dict,
    to_dict,
)


def test_options_survive_a_manifest() -> None:
    spec = PatchSpec(side=48, padding=8, inputs=("rgb", "mask", "evidence"))
    options = RefineOptions(nms_iou=0.55, blend="centred", max_patches=7)
    assert from_dict(json.loads(json.dumps(to_dict(spec, options)))) == (spec, options)
    assert (spec.window, spec.channels) == (64, 5)


def test_only_given_values_change() -> None:
    assert PatchSpec().changed(side=32, padding=None) == PatchSpec(side=32)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"side": 7}, r"side: expected an even whole number of 8\.\.4096 pixels, got 7"),
        ({"side": 9}, "side: expected an even whole number"),
        ({"side": 4098}, "side: expected an even whole number"),
        ({"side": 64.0}, r"side: expected an even whole number .*, got 64\.0"),
        ({"padding": -1}, r"padding: expected 0\.\.2016 whole pixels"),
        ({"padding": 2017}, r"padding: .* \(a window of at most 4096\), got 2017"),
        ({"inputs": 5}, "inputs: expected 'rgb' first, .*, got 5"),
        ({"inputs": [["rgb"]]}, "inputs"),
        ({"inputs": ("mask", "rgb")}, "inputs: expected 'rgb' first"),
        ({"inputs": ("rgb", "mask", "mask")}, "inputs"),
        ({"inputs": ("rgb", "depth")}, "inputs"),
        ({"scheme": "hex"}, "scheme: expected one of dense, grid, instance, got 'hex'"),
        ({"blend": ["mean"]}, r"blend: expected one of mean, centred, got \('mean',\)"),
        ({"nms_iou": "x"}, r"nms_iou: expected a number in \[0, 1\), got 'x'"),
        ({"nms_iou": True}, "nms_iou: expected a number"),
        ({"nms_iou": 1.0}, r"nms_iou: expected a number in \[0, 1\)"),
        ({"nms_iou": float("nan")}, "nms_iou"),
        ({"cover_margin": -1}, r"cover_margin: expected 0\.\.2047"),
        ({"caution": "x"}, r"caution: expected auto, or a probability in \[0, 0\.5\), got 'x'"),
        ({"caution": -0.1}, r"caution: expected auto, or a probability in \[0, 0\.5\), got -0\.1"),
        ({"caution": 0.5}, r"caution: expected auto, or a probability in \[0, 0\.5\), got 0\.5"),
        ({"keep": "a"}, r"keep: expected a share in \(0, 1\], got 'a'"),
        ({"max_patches": 2.5}, r"max_patches: expected a whole number of 1 or more, got 2\.5"),
        ({"max_patches": True}, "max_patches: .*, got True"),
        ({"signal": "depth"}, "signal: expected one of off_edge, got 'depth'"),
    ],
)
def test_a_wrong_value_is_refused_by_name(values: dict, words: str) -> None:
    owner = PatchSpec if values.keys() <= {"side", "padding", "inputs"} else RefineOptions
    for make in (lambda: owner(**values), lambda: from_dict(values), lambda: owner().changed(**values)):
        with pytest.raises(ValueError, match=words):
            make()


def test_a_cover_margin_must_fit_the_side() -> None:
    assert from_dict({"side": 64, "cover_margin": 31})[1].cover_margin == 31
    with pytest.raises(ValueError, match=r"cover_margin: expected 0\.\.31 whole pixels, got 32"):
        from_dict({"side": 64, "cover_margin": 32})


def test_values_at_the_ends_of_their_ranges() -> None:
    assert PatchSpec(side=64, padding=2016).window == 4096
    RefineOptions(nms_iou=0, caution=0.499, keep=1, max_patches=10**6)


def test_numbers_of_numpy_become_pythons() -> None:
    options = RefineOptions(max_patches=np.int64(2), keep=np.float32(0.5))
    assert json.loads(json.dumps(to_dict(PatchSpec(), options))) == to_dict(PatchSpec(), RefineOptions(max_patches=2, keep=0.5))
    with pytest.raises(ValueError, match="max_patches: expected a whole number"):
        RefineOptions(max_patches=np.bool_(True))


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(ValueError, match=r"unknown names \['size'\]"):
        from_dict({"size": 64})
    with pytest.raises(ValueError, match="expected names and values, got list"):
        from_dict([])


def test_files_of_earlier_versions_are_read_unless_they_refine_in_several_passes() -> None:
    old = {"kind": "grid", "side": 32, "wide": 0, "passes": 1, "withdrawn": 4}
    assert from_dict(old) == (PatchSpec(side=32), RefineOptions(scheme="grid"))
    for retired in ({"passes": 2}, {"wide": 96}, {"passes": 10**9}):
        with pytest.raises(ValueError, match="this version refines every mask once"):
            from_dict({**old, **retired})


def test_a_config_names_what_training_and_refining_share_once() -> None:
    refinement = {"patch": {"side": 48}, "train": {"nms_iou": 0.25}, "test": {"nms_iou": 0.55, "blend": "centred"}}
    assert from_config(refinement, "train") == (PatchSpec(side=48), RefineOptions(nms_iou=0.25))
    assert from_config(refinement, "test") == (PatchSpec(side=48), RefineOptions(nms_iou=0.55, blend="centred"))


def test_extraction_and_refining_share_the_placement() -> None:
    options = RefineOptions(scheme="grid", nms_iou=0.4, cover_margin=2, blend="centred")
    assert options.placement == Placement("grid", 0.4, 2)
    assert [field.name for field in command_options()] == ["scheme", "caution", "keep"]


@pytest.mark.parametrize(
    ("options", "budgets"),
    [
        (RefineOptions(), [0, 1, 100]),
        (RefineOptions(keep=0.5), [0, 1, 50]),
        (RefineOptions(keep=0.07), [0, 1, 7]),
        (RefineOptions(max_patches=9), [0, 1, 9]),
        (RefineOptions(keep=0.5, max_patches=9), [0, 1, 9]),
        (RefineOptions(keep=0.01, max_patches=9), [0, 1, 1]),
    ],
)
def test_the_smaller_budget_holds(options: RefineOptions, budgets: list[int]) -> None:
    assert [options.budget(count) for count in (0, 1, 100)] == budgets
