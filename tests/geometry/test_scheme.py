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
        ({"side": 7}, "side: expected an even number"),
        ({"side": 9}, "side: expected an even number"),
        ({"padding": -1}, "padding: expected 0 or more"),
        ({"nms_iou": 1.0}, r"nms_iou: expected a number in \[0, 1\)"),
        ({"nms_iou": float("nan")}, "nms_iou"),
        ({"cover_margin": 32}, r"cover_margin: expected 0\.\.31"),
        ({"inputs": ("mask", "rgb")}, "inputs: expected 'rgb' first"),
        ({"inputs": ("rgb", "mask", "mask")}, "inputs"),
        ({"inputs": ("rgb", "depth")}, "inputs"),
    ],
)
def test_a_wrong_number_is_refused_by_name(values: dict, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        PatchScheme(**values)


def test_an_unknown_key_is_refused() -> None:
    with pytest.raises(ValueError, match=r"unknown keys.*'size'"):
        PatchScheme.from_dict({"size": 64})
