"""The free models learn from cleared images alone, and the ledger knows which those are."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from benchmarks.training import split_data
from benchmarks.training.ledger import FILES
from bpr.io.files import read_json, write_json
from tests.conftest import ROOT

SQUARE = {"size": [8, 8], "counts": "04L7"}
IMAGES: dict[str, list[dict[str, Any]]] = {
    "coco": [{"license": licence} for licence in range(1, 9)],
    "davis": [{"file_name": f"{number:03}.jpg"} for number in (52, 53, 60, 61, 128, 129, 134, 135)],
    "davis16": [{"sequence": name} for name in ("bear", "dog-agility", "drift-turn", "breakdance-flare", "rhino")],
    "crisp": [{"set": name} for name in ("ccp", "ecssd", "icoseg", "berkeley")],
}
CLEARED = {"coco": [4, 5, 7, 8], "davis": [1, 4, 5, 8], "davis16": [1, 4, 5], "crisp": [1]}
"""The ids of those that anyone may use."""


@pytest.fixture
def data(tmp_path: Path) -> Path:
    for name, images in IMAGES.items():
        listed = [{"file_name": f"{number}.jpg", "width": 8, "height": 8, **one, "id": number} for number, one in enumerate(images, 1)]
        objects = [{"id": one["id"], "image_id": one["id"], "category_id": 1, "segmentation": SQUARE} for one in listed]
        document = {"images": listed, "annotations": objects, "categories": [{"id": 1, "name": "thing"}]}
        write_json(tmp_path / FILES[name], document)
        write_json(tmp_path / f"detections/{split_data.SETS[name][0]}.segm.json", [])
    return tmp_path


@pytest.mark.parametrize("name", CLEARED)
def test_the_split_keeps_cleared_images_alone(data: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    ids: dict[tuple[str, bool], list[int]] = {}
    for options in ([], ["--cleared"]):
        out = data / "-".join(["split", *options])
        monkeypatch.setattr("sys.argv", ["split_data", str(data), "--out", str(out), *options])
        split_data.main()
        for part in ("learn", "choose"):
            document = read_json(out / f"{name}_{part}.instances.json", "annotations")
            ids[part, bool(options)] = [one["id"] for one in document["images"]]
            assert [one["image_id"] for one in document["annotations"]] == ids[part, bool(options)]
    assert sorted(ids["learn", True] + ids["choose", True]) == CLEARED[name]
    assert set(ids["learn", True]) <= set(ids["learn", False]), "an image is on the side where the other models have it"
    assert not list(out.glob("*.segm.json")), "the detector learned from images that are not cleared"


STAGES = sorted((ROOT / "configs").glob("*_free-*.py"))


@pytest.mark.parametrize("config", STAGES, ids=lambda path: path.stem)
def test_the_free_models_learn_from_cleared_images_alone(config: Path) -> None:
    Config = pytest.importorskip("mmengine").Config
    cfg = Config.fromfile(config)
    dataset = cfg.train_dataloader.dataset
    check(dataset.sources)
    assert (dataset.real, dataset.synthetic) == (0, "all")
    assert "val_dataloader" not in cfg
    if cfg.load_from is None:
        assert cfg.model.pretrained == "data/free/mobilenetv2_100_imagenet.npz"
    else:
        assert cfg.model.pretrained is None
        assert re.fullmatch(r"work_dirs/(\S+)/iter_\d+\.pth", cfg.load_from)[1] in {stage.stem for stage in STAGES}


def test_their_verdict_is_fitted_on_cleared_images_alone() -> None:
    Config = pytest.importorskip("mmengine").Config
    check(Config.fromfile(ROOT / "configs/_base_/datasets/verdict_free_masks.py").sources)


def check(sources: list[dict[str, Any]]) -> None:
    assert sources
    for source in sources:
        assert re.fullmatch(r"data/free/(coco|davis|davis16|crisp)_(learn|choose)\.instances\.json", source["ann"])
        assert source["img_dir"] == f"data/free/images/{Path(source['ann']).name.rpartition('_')[0]}"
        assert "results" not in source
