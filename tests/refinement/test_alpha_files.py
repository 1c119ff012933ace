"""Soft edges from the command and from Python: they are above half where the hard mask is, and no run loses them."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

import bpr
from bpr.cli.main import main
from bpr.errors import BPRError
from bpr.formats.coco import read_results
from bpr.geometry.rle import decode_mask
from bpr.io.mask_picture import read_mask
from bpr.scenes import coarse_masks, paint_scene
from tests.conftest import SmallSet


def grey(path: Path) -> np.ndarray:
    return cv2.imread(str(path), cv2.IMREAD_UNCHANGED)


def scene_masks() -> tuple[np.ndarray, np.ndarray]:
    scene = paint_scene(0, (150, 200))
    return scene.image, np.stack([mask.to_frame() for mask in coarse_masks(scene, "mask_head", 0)])


@pytest.mark.parametrize("caution", ["auto", 0, 0.2])
def test_soft_is_hard_above_half(caution: float | str) -> None:
    image, masks = scene_masks()
    refiner = bpr.load("starter-fast", caution=caution)
    hard, alpha = refiner(image, masks), refiner(image, masks, soft=True)
    assert (alpha.dtype, alpha.shape) == (np.uint8, masks.shape)
    assert np.array_equal(alpha > 127, hard)
    between = alpha[(alpha > 0) & (alpha < 255)]
    assert between.size
    assert 4 < between.min() < between.max() < 251
    one = refiner(image, masks[0], soft=True)
    assert np.array_equal(one > 127, refiner(image, masks[0]))
    both = next(refiner.stream([(image, masks)], soft=True, return_probability=True))
    assert np.array_equal(both.masks, alpha)
    assert refiner(image, masks[:0], soft=True).shape == (0, 150, 200)


def test_a_kept_mask_is_hard() -> None:
    image, masks = scene_masks()
    alpha = bpr.load("identity")(image, masks, soft=True)
    assert np.array_equal(alpha, masks * np.uint8(255))


@pytest.fixture
def photo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> np.ndarray:
    monkeypatch.chdir(tmp_path)
    image, masks = scene_masks()
    cv2.imwrite("photo.png", image[..., ::-1])
    cv2.imwrite("mask.png", masks[0].astype(np.uint8) * 255)
    return image


def test_one_photo_gives_alpha_trimap_and_soft_cutout(photo: np.ndarray) -> None:
    words = ["refine", "photo.png", "mask.png", "--model", "starter-fast", "--out", "out.png"]
    more = ["--soft", "alpha.png", "--trimap", "trimap.png", "--cutout", "cut.png"]
    assert main([*words, *more]) == 0
    alpha, hard = grey(Path("alpha.png")), read_mask("out.png")
    assert np.array_equal(alpha > 127, hard)
    assert np.array_equal(read_mask("alpha.png"), hard)
    layer = grey(Path("cut.png"))
    assert np.array_equal(layer[..., 3], alpha)
    assert np.array_equal(layer[..., 2::-1], photo)
    trimap = grey(Path("trimap.png"))
    assert set(np.unique(trimap).tolist()) == {0, 128, 255}
    assert hard[trimap == 255].all()
    assert not hard[trimap == 0].any()
    assert (trimap[(alpha > 25) & (alpha < 230)] == 128).all()
    plain = Path("out.png").read_bytes()
    assert main(words) == 0
    assert Path("out.png").read_bytes() == plain


def test_an_empty_mask_has_an_empty_alpha(photo: np.ndarray) -> None:
    cv2.imwrite("mask.png", np.zeros((150, 200), np.uint8))
    main(["refine", "photo.png", "mask.png", "--model", "identity", "--out", "out.png", "--soft", "a.png", "--cutout", "c.png"])
    assert not grey(Path("a.png")).any()
    assert not grey(Path("c.png"))[..., 3].any()


def refine(small_set: SmallSet, *words: str) -> int:
    files = [str(small_set.results), "--ann", str(small_set.ann), "--img-dir", str(small_set.images)]
    return main(["refine", *files, "--model", "starter-fast", "--out", str(small_set.folder / "out.json"), *words])


def test_a_folder_holds_one_alpha_per_record(small_set: SmallSet) -> None:
    soft = small_set.folder / "soft"
    assert refine(small_set, "--soft", str(soft)) == 0
    names = sorted(path.relative_to(soft).as_posix() for path in soft.rglob("*.png"))
    assert names == ["1/0.png", "1/1.png", "2/2.png", "2/3.png"]
    for index, record in enumerate(read_results(small_set.folder / "out.json")):
        alpha = grey(soft / f"{record['image_id']}/{index}.png")
        assert np.array_equal(alpha > 127, decode_mask(record["segmentation"]).to_frame())
    assert refine(small_set, "--soft", str(soft)) == 0  # it replaces what it wrote


def test_shards_and_a_merge_give_the_same_alphas(small_set: SmallSet) -> None:
    whole, merged = small_set.folder / "whole", small_set.folder / "merged"
    assert refine(small_set, "--soft", str(whole)) == 0
    (small_set.folder / "out.json").unlink()
    for shard in ("1/2", "2/2"):
        assert refine(small_set, "--soft", str(merged), "--shard", shard) == 0
    assert not merged.exists()
    assert main(["merge", str(small_set.folder / "out.json")]) == 0
    for path in whole.rglob("*.png"):
        assert (merged / path.relative_to(whole)).read_bytes() == path.read_bytes()


def test_places_that_cannot_be_written(small_set: SmallSet, capsys: pytest.CaptureFixture[str]) -> None:
    cases = {
        "expected a folder for 4 masks, got the picture": (1, "--soft", str(small_set.folder / "a.png")),
        "the folder holds other files": (1, "--soft", str(small_set.folder)),
        "out.json: expected a place of its own": (2, "--trimap", str(small_set.folder / "out.json")),
    }
    for message, (code, *words) in cases.items():
        assert refine(small_set, *words) == code
        error = capsys.readouterr().err
        assert message in error
        assert error.count("\n") == 1
    same = str(small_set.folder / "soft")
    files = {"images": small_set.images, "ann": small_set.ann, "model": "identity"}
    for soft, trimap in ((same, same), (small_set.images, None)):
        with pytest.raises(BPRError, match="expected a place of its own"):
            bpr.refine_file(small_set.results, small_set.folder / "o.json", soft=soft, trimap=trimap, **files)


def test_an_id_cannot_lead_out_of_the_folder(small_set: SmallSet, capsys: pytest.CaptureFixture[str]) -> None:
    records = [{**record, "image_id": "../000001"} for record in small_set.records[:1]]
    results = small_set.write("away.json", records)
    words = ["refine", str(results), "--img-dir", str(small_set.images / "000001.png"), "--model", "identity"]
    assert main([*words, "--out", str(small_set.folder / "o.json"), "--soft", str(small_set.folder / "soft")]) == 1
    assert "names must not be absolute or hold .." in capsys.readouterr().err
