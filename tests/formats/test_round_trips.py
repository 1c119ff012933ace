"""Every format through the identity predictor: the output equals the input."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from bpr.cli.main import main
from bpr.geometry.masks import BoxMask
from bpr.geometry.rle import decode_mask
from bpr.io.folders import MARK
from tests.formats import layouts

Layout = Callable[[Path], Path]
FOLDERS = [layouts.mmdetection, layouts.detectron2, layouts.polytransform, layouts.segfix]
FOLDERS += [layouts.semantic, layouts.masks, layouts.yolo, layouts.sam_lists]
JSON = [layouts.coco_results, layouts.annotations, layouts.panoptic_deeplab, layouts.coco_panoptic, layouts.cityscapes_panoptic]


def refine(source: Path, images: Path, out: Path, *options: str, model: str = "identity") -> Path:
    assert main(["refine", str(source), "--img-dir", str(images), "--model", model, "--out", str(out), *options]) == 0
    return out


def files(folder: Path) -> dict[str, bytes]:
    """Contents by name; of PNGs the pixels, since their compression may differ."""
    found = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file() and path.name != MARK}
    return {name: cv2.imread(str(path), -1).tobytes() if name.endswith(".png") else path.read_bytes() for name, path in found.items()}


@pytest.mark.parametrize("layout", FOLDERS)
def test_a_folder_comes_back_as_it_was(tmp_path: Path, photographs: Path, layout: Layout) -> None:
    source = layout(tmp_path / "in")
    assert files(refine(source, photographs, tmp_path / "out", "--strict")) == files(source)


@pytest.mark.parametrize("layout", JSON)
def test_a_file_comes_back_as_it_was(tmp_path: Path, photographs: Path, layout: Layout) -> None:
    (tmp_path / "in").mkdir()
    source = layout(tmp_path / "in")
    out = refine(source, photographs, tmp_path / "out.json", "--strict")
    assert json.loads(out.read_text()) == json.loads(source.read_text())
    if source.with_suffix("").is_dir():
        assert files(out.with_suffix("")) == files(source.with_suffix(""))


def test_one_image_and_one_palette_png(tmp_path: Path, photographs: Path) -> None:
    image_module = pytest.importorskip("PIL.Image")
    labels = (layouts.disk(40, 40, 20) * 2 + layouts.disk(100, 50, 15)).astype(np.uint8)
    picture = image_module.fromarray(labels)
    picture.putpalette([0, 0, 0, 128, 0, 0, 0, 128, 0])
    picture.save(tmp_path / "mask.png", bits=2)
    image = next(photographs.rglob("aachen_000000*.png"))
    out = image_module.open(refine(tmp_path / "mask.png", image, tmp_path / "out.png", "--format", "masks"))
    assert out.mode == "P"
    assert out.getpalette()[:9] == picture.getpalette()[:9]
    assert np.array_equal(np.array(out), labels)


def test_detectron2_may_leave_the_panoptic_pngs_beside_the_json(tmp_path: Path, photographs: Path) -> None:
    source = layouts.panoptic_deeplab(tmp_path)
    for png in source.with_suffix("").iterdir():
        png.rename(tmp_path / png.name)
    source.with_suffix("").rmdir()
    out = refine(source, photographs, tmp_path / "out.json")
    assert files(out.with_suffix("")) == {path.name: cv2.imread(str(path), -1).tobytes() for path in tmp_path.glob("*.png")}


def test_lvis_names_its_images_by_their_address(tmp_path: Path, photographs: Path) -> None:
    records = [{**record, "image_id": 5} for record in json.loads(layouts.coco_results(tmp_path).read_text())[:3]]
    (tmp_path / "lvis.json").write_text(json.dumps(records))
    images = [{"id": 5, "coco_url": f"http://images.cocodataset.org/aachen/{layouts.STEMS[0]}_leftImg8bit.png"}]
    (tmp_path / "ann.json").write_text(json.dumps({"images": images}))
    out = refine(tmp_path / "lvis.json", photographs, tmp_path / "out.json", "--ann", str(tmp_path / "ann.json"), "--strict")
    assert json.loads(out.read_text()) == records


def test_images_are_found_where_annotations_and_yolo_keep_them(tmp_path: Path) -> None:
    layouts.photographs(tmp_path)
    (tmp_path / "leftImg8bit" / "val").rename(tmp_path / "images")
    labels, annotations = layouts.yolo(tmp_path), layouts.annotations(tmp_path / "images")
    for source, out in ((labels, "out"), (annotations, "out.json")):
        assert main(["refine", str(source), "--model", "identity", "--strict", "--out", str(tmp_path / out)]) == 0


@pytest.mark.parametrize("name", ["a_pred.txt", "a.txt"])
def test_no_instances_at_all(tmp_path: Path, photographs: Path, name: str) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / name).touch()
    assert files(refine(tmp_path / "in", photographs, tmp_path / "out", "--strict")) == {name: b""}


def instance_masks(folder: Path) -> list[np.ndarray]:
    lists = sorted(path for path in folder.glob("*.txt"))
    return [cv2.imread(str(folder / line.split()[0]), -1) > 0 for path in lists for line in path.read_text().splitlines()]


def panoptic_masks(path: Path) -> list[np.ndarray]:
    found = []
    for image in json.loads(path.read_text())["annotations"]:
        blue, green, red = cv2.split(cv2.imread(str(path.with_suffix("") / image["file_name"])).astype(int))
        found += [red + 256 * green + 65536 * blue == segment["id"] for segment in image["segments_info"]]
    return found


def contested_pixels(refined: list[np.ndarray]) -> list[np.ndarray]:
    """For every mask, the pixels that several refined masks of its image contain; a partition must decide on those."""
    found, rest = [], iter(refined)
    for instances in layouts.MASKS.values():
        masks = [next(rest) for _ in instances]
        found += [np.sum(masks, axis=0) > 1] * len(masks)
    return found


@pytest.mark.parametrize("model", ["swelling", "starter"])
def test_the_same_masks_refine_the_same_in_every_format(
    tmp_path: Path, photographs: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest, model: str
) -> None:
    if model == "swelling":
        request.getfixturevalue("swelling")
    import bpr
    from bpr.io.images import read_image

    def refined_by_model(source: Path, out: Path) -> Path:
        return refine(source, photographs, out, "--caution", "0", model=model)  # a verdict weighs scores, which not all have

    refined = json.loads(refined_by_model(layouts.coco_results(tmp_path), tmp_path / "coco.json").read_text())
    expected = [decode_mask(record["segmentation"]).to_frame() for record in refined]
    before = [mask for instances in layouts.MASKS.values() for *_, mask in instances]
    assert not any(np.array_equal(*pair) for pair in zip(expected, before, strict=True))
    assert np.array_equal(expected, instance_masks(refined_by_model(layouts.detectron2(tmp_path), tmp_path / "city")))
    panoptic = panoptic_masks(refined_by_model(layouts.coco_panoptic(tmp_path), tmp_path / "pan.json"))
    for mask, apart, contested in zip(expected, panoptic, contested_pixels(expected), strict=True):
        assert np.array_equal(mask & ~contested, apart & ~contested)
    refiner = bpr.load(model, caution=0)
    arrays = []
    for stem, instances in layouts.MASKS.items():
        if instances:
            image = read_image(next(photographs.rglob(f"{stem}*.png")))
            arrays += list(refiner(image, np.stack([mask for *_, mask in instances])))
    assert np.array_equal(expected, arrays)


@pytest.mark.usefixtures("swelling")
def test_panoptic_stays_a_partition_and_its_numbers_follow(tmp_path: Path, photographs: Path) -> None:
    source = layouts.coco_panoptic(tmp_path)
    document = json.loads(source.read_text())
    ids = np.full(layouts.FRAME, 1)
    ids[layouts.disk(60, 45, 30)], ids[44, 60] = 2, 3
    segments = [{"id": n, "category_id": n, "area": 0, "bbox": [0, 0, 0, 0]} for n in (1, 2, 3)]
    document["annotations"][0]["segments_info"] = segments
    source.write_text(json.dumps(document))
    png = f"{layouts.STEMS[0]}.png"
    cv2.imwrite(str(source.with_suffix("") / png), np.stack([ids * 0, ids * 0, ids], axis=2).astype(np.uint8))
    out = refine(source, photographs, tmp_path / "out.json")
    refined = cv2.imread(str(out.with_suffix("") / png))[..., 2]
    assert set(np.unique(refined)) == {1, 2, 3}
    assert not np.array_equal(refined, ids)
    for segment in json.loads(out.read_text())["annotations"][0]["segments_info"]:
        mask = BoxMask.from_frame(refined == segment["id"])
        assert (segment["area"], segment["bbox"]) == (mask.area, mask.bbox)


@pytest.mark.usefixtures("swelling")
def test_semantic_maps_keep_their_classes_and_every_pixel(tmp_path: Path, photographs: Path) -> None:
    source = layouts.semantic(tmp_path)
    out = refine(source, photographs, tmp_path / "out")
    for before, after in zip(files(source).values(), files(out).values(), strict=True):
        assert before != after
        assert set(before) == set(after)


@pytest.mark.usefixtures("swelling")
def test_cleaned_annotations_keep_crowds_and_foreign_keys(tmp_path: Path, photographs: Path) -> None:
    source = layouts.annotations(tmp_path)
    before = json.loads(source.read_text())
    after = json.loads(refine(source, photographs, tmp_path / "out.json").read_text())
    assert {**after, "annotations": None} == {**before, "annotations": None}
    assert [a["attributes"] for a in after["annotations"][:4]] == [a["attributes"] for a in before["annotations"][:4]]
    for old, new in zip(before["annotations"], after["annotations"], strict=True):
        if old.get("iscrowd") or "keypoints" in old:
            assert new == old
        else:
            assert isinstance(new["segmentation"], type(old["segmentation"]))
            mask = decode_mask(new["segmentation"], layouts.FRAME)
            assert new["segmentation"] != old["segmentation"]
            assert (new["area"], new["bbox"]) == (mask.area, mask.bbox)


@pytest.mark.usefixtures("swelling")
def test_a_changed_yolo_line_is_the_refined_mask(tmp_path: Path, photographs: Path) -> None:
    source = layouts.yolo(tmp_path)
    out = refine(source, photographs, tmp_path / "out", "--polygons", "0")
    for folder, name in ((source, "in.json"), (out, "again.json")):
        assert main(["convert", str(folder), "--img-dir", str(photographs), "--to", "coco", "--out", str(tmp_path / name)]) == 0
    refined = json.loads(refine(tmp_path / "in.json", photographs, tmp_path / "expected.json").read_text())
    again = json.loads((tmp_path / "again.json").read_text())
    assert [record["segmentation"] for record in again] == [record["segmentation"] for record in refined]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_panoptic_ids_may_be_the_numbers_of_grey_pngs(tmp_path: Path, photographs: Path, dtype: type) -> None:
    source = layouts.panoptic_deeplab(tmp_path)
    document = json.loads(source.read_text())
    for image in document["annotations"]:
        path = source.with_suffix("") / image["file_name"]
        blue, green, red = (plane.astype(np.uint32) for plane in cv2.split(cv2.imread(str(path))))
        ids = red + 256 * green + 65536 * blue
        for number, segment in enumerate(image["segments_info"], start=1):
            if dtype is np.uint8:  # 24001 does not fit
                ids[ids == segment["id"]] = segment["id"] = number
        cv2.imwrite(str(path), ids.astype(dtype))
    source.write_text(json.dumps(document))
    out = refine(source, photographs, tmp_path / "out.json")
    assert json.loads(out.read_text()) == document
    for image in document["annotations"]:
        before, after = (cv2.imread(str(path.with_suffix("") / image["file_name"]), -1) for path in (source, out))
        assert after.dtype == dtype
        assert np.array_equal(before, after)


def test_panoptic_colours_that_a_program_stored_as_grey_or_palette(tmp_path: Path, photographs: Path) -> None:
    images = pytest.importorskip("PIL.Image")
    source = layouts.panoptic_deeplab(tmp_path)
    expected = {path.name: cv2.imread(str(path)) for path in source.with_suffix("").iterdir()}
    for path in source.with_suffix("").iterdir():
        picture = images.open(path)
        colours = [colour for _, colour in picture.getcolors()]
        numbers = np.zeros(picture.size[::-1], np.uint8)
        for number, colour in enumerate(colours):
            numbers[(np.array(picture) == colour).all(axis=2)] = number
        small = images.fromarray(numbers)
        small.putpalette([value for colour in colours for value in colour])
        small.save(path)
    out = refine(source, photographs, tmp_path / "out.json")
    for name, pixels in expected.items():
        assert np.array_equal(cv2.imread(str(out.with_suffix("") / name)), pixels)
