import json

import numpy as np
import pytest

from bpr.geometry.scheme import PatchScheme


def test_a_scheme_survives_its_manifest() -> None:
    scheme = PatchScheme(side=48, padding=8, nms_iou=0.55, inputs=("rgb", "mask", "evidence"))
    assert PatchScheme.from_dict(scheme.to_dict()) == scheme
    assert scheme.window == 64
    assert scheme.channels == 5


def test_only_given_values_change() -> None:
    assert PatchScheme().changed(side=32, padding=None) == PatchScheme(side=32)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"side": 7}, r"side: expected an even whole number of 8\.\.4096 pixels, got 7"),
        ({"side": 9}, "side: expected an even whole number"),
        ({"side": 4098}, "side: expected an even whole number"),
        ({"side": 64.0}, r"side: expected an even whole number .*, got 64\.0"),
        ({"padding": -1}, r"padding: expected 0\.\.2016 whole pixels"),
        ({"padding": 2017}, r"padding: .* \(a window of at most 4096\), got 2017"),
        ({"blend": ["mean"]}, r"blend: expected one of mean, centred, got \['mean'\]"),
        ({"nms_iou": "x"}, r"nms_iou: expected a number in \[0, 1\), got 'x'"),
        ({"nms_iou": True}, "nms_iou: expected a number"),
        ({"nms_iou": 1.0}, r"nms_iou: expected a number in \[0, 1\)"),
        ({"nms_iou": float("nan")}, "nms_iou"),
        ({"cover_margin": 32}, r"cover_margin: expected 0\.\.31"),
        ({"caution": "x"}, r"caution: expected a probability in \[0, 0\.5\), got 'x'"),
        ({"wide": 96.0}, r"wide: expected 0 or an even whole number over the side, 64, of at most 4096, got 96\.0"),
        ({"wide": 64}, "wide: expected 0 or an even whole number over the side"),
        ({"wide": False}, "wide: .*, got False"),
        ({"passes": 0}, r"passes: expected a whole number of 1\.\.16, got 0"),
        ({"passes": 17}, r"passes: expected a whole number of 1\.\.16, got 17"),
        ({"passes": 1.5}, r"passes: expected a whole number of 1\.\.16, got 1\.5"),
        ({"passes": True}, "passes: .*, got True"),
        ({"withdrawn": float("inf")}, r"withdrawn: expected 0\.\.4096 pixels, got inf"),
        ({"keep": "a"}, r"keep: expected a share in \(0, 1\], got 'a'"),
        ({"max_patches": 2.5}, r"max_patches: expected a whole number of 1 or more, got 2\.5"),
        ({"inputs": 5}, "inputs: expected 'rgb' first, .*, got 5"),
        ({"inputs": [["rgb"]]}, "inputs"),
        ({"inputs": ("mask", "rgb")}, "inputs: expected 'rgb' first"),
        ({"inputs": ("rgb", "mask", "mask")}, "inputs"),
        ({"inputs": ("rgb", "depth")}, "inputs"),
    ],
)
def test_a_wrong_number_is_refused_by_name(values: dict, words: str) -> None:
    for make in (lambda: PatchScheme(**values), lambda: PatchScheme.from_dict(values), lambda: PatchScheme().changed(**values)):
        with pytest.raises(ValueError, match=words):
            make()


def test_whole_numbers_and_names_at_the_ends_of_their_ranges() -> None:
    scheme = PatchScheme(side=64, padding=2016, cover_margin=31, passes=16, keep=1, wide=66, max_patches=10**6)
    assert scheme.window == 4096
    assert len(scheme.pass_sides) == 17


def test_numbers_of_numpy_become_pythons() -> None:
    scheme = PatchScheme(passes=np.int64(2), keep=np.float32(0.5))
    assert json.loads(json.dumps(scheme.to_dict())) == PatchScheme(passes=2, keep=0.5).to_dict()
    with pytest.raises(ValueError, match="passes: expected a whole number"):
        PatchScheme(passes=np.bool_(True))


def test_an_unknown_key_is_refused() -> None:
    with pytest.raises(ValueError, match=r"unknown keys.*'size'"):
        PatchScheme.from_dict({"size": 64})
