"""MMDetection's own loop and metrics on refined masks: real detections, an oracle, untrained detectors."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip("mmdet")

import torch
from mmdet.datasets import CocoDataset
from mmdet.structures import DetDataSample
from mmengine.registry import init_default_scope
from mmengine.structures import InstanceData

import bpr
from bpr.cli.main import main
from bpr.evaluation.matching import GroundTruth
from bpr.formats.coco import read_annotations, read_results
from bpr.geometry.masks import BoxMask
from bpr.geometry.options import PatchSpec, RefineOptions
from bpr.geometry.patches import crop_window
from bpr.geometry.rle import decode_mask, encode_mask
from bpr.integrations.mmdetection import RefinedDetector
from bpr.io.images import read_image
from bpr.refinement.predictor import PatchBatch
from bpr.refinement.refiner import Refiner
from bpr.training.registry import MODELS
from tests.conftest import ROOT, SmallSet
from tests.integrations.mmdetection.loops import CONFIGS, few_images, measure, small

COCO = "mask-rcnn_r50_fpn_1x_coco_bpr-starter.py"
BEFORE, AFTER = "before/coco/segm_mAP", "coco/segm_mAP"


class OracleByMask:
    """Returns the ground truth of every coarse mask, found by its pixels: a test loop gives no record with a mask."""

    def __init__(self, results: str | Path, annotations: str | Path) -> None:
        records = read_results(results)
        matches = GroundTruth(read_annotations(annotations)).matches(records)
        self._truths = {
            encode_mask(decode_mask(record["segmentation"]))["counts"]: truth
            for record, (truth, _) in zip(records, matches, strict=True)
            if truth is not None
        }
        self.spec, self.recommended, self.batch_size = PatchSpec(), RefineOptions(), 256

    def predict(self, batch: PatchBatch) -> np.ndarray:
        pairs = zip(batch.instances, batch.boxes.tolist(), strict=True)
        return np.array([crop_window(self._truth(one.mask), box, self.spec) for one, box in pairs], np.float32)

    def _truth(self, mask: BoxMask) -> BoxMask:
        return self._truths.get(encode_mask(mask)["counts"], mask)


@pytest.fixture(autouse=True)
def scope() -> None:
    init_default_scope("mmdet")


def recorded(results: Path, annotations: Path) -> dict[str, str]:
    return {"type": "bpr.RecordedDetector", "results": str(results), "annotations": str(annotations)}


def test_an_oracle_raises_ap(small_set: SmallSet, tmp_path: Path) -> None:
    model = RefinedDetector(recorded(small_set.results, small_set.ann), Refiner(OracleByMask(small_set.results, small_set.ann)))
    measured = measure(model, small_set.ann, small_set.images, tmp_path / "work", metainfo={"classes": ("disk",)})
    assert 0.1 < measured[BEFORE] < 0.9
    assert measured[AFTER] == 1.0


def test_an_oracle_raises_ap_on_coco(shared_data: Path, tmp_path: Path) -> None:
    annotations = few_images(tmp_path, shared_data / "coco" / "annotations" / "instances_val2017.json", 6)
    kept = {image["id"] for image in json.loads(annotations.read_text())["images"]}
    results = tmp_path / "results.json"
    records = read_results(shared_data / "detections" / "coco_val2017.segm.json")
    results.write_text(json.dumps([record for record in records if record["image_id"] in kept]))
    model = RefinedDetector(recorded(results, annotations), Refiner(OracleByMask(results, annotations)))
    measured = measure(model, annotations, shared_data / "coco" / "val2017", tmp_path / "work")
    assert measured[AFTER] > measured[BEFORE] + 0.1 > 0.2


def test_the_results_are_dumped_for_extraction(small_set: SmallSet, tmp_path: Path) -> None:
    model = RefinedDetector(recorded(small_set.results, small_set.ann), {"model": "starter"})
    prefix = tmp_path / "dumped" / "results"
    prefix.parent.mkdir()
    measure(model, small_set.ann, small_set.images, tmp_path / "work", prefix, metainfo={"classes": ("disk",)})
    before, after = (read_results(f"{prefix}{end}.segm.json") for end in (".before", ""))
    assert [record["segmentation"] for record in before] == [record["segmentation"] for record in small_set.records]
    for number in (1, 2):
        image = read_image(small_set.images / f"{number:06d}.png")
        masks = [record["segmentation"] for record in before if record["image_id"] == number]
        assert [record["segmentation"] for record in after if record["image_id"] == number] == bpr.load("starter")(image, masks)
    files = ["--ann", str(small_set.ann), "--img-dir", str(small_set.images), "--out", str(tmp_path / "patches")]
    assert main(["extract-patches", f"{prefix}.before.segm.json", *files]) == 0


@pytest.mark.parametrize("config", sorted(path.name for path in CONFIGS.glob("*.py")))
def test_a_config_builds_and_refines(config: str, tmp_path: Path) -> None:
    """Untrained: what it finds is noise, but every step from pixels to refined masks runs."""
    cfg = small(config)
    model = MODELS.build(cfg.model).eval()
    path = tmp_path / "image.png"
    cv2.imwrite(str(path), np.random.default_rng(0).integers(0, 256, (90, 120, 3), np.uint8))
    scaled = {"img_shape": (120, 160), "ori_shape": (90, 120), "scale_factor": (4 / 3, 4 / 3), "img_path": str(path)}
    batch = {"inputs": [torch.zeros(3, 120, 160, dtype=torch.uint8)], "data_samples": [DetDataSample(metainfo=scaled)]}
    with torch.no_grad():
        (sample,) = model.test_step(batch)
    assert sample.pred_instances.masks.shape == (2, 90, 120)
    assert torch.equal(sample.pred_instances.masks, sample.coarse_instances.masks)
    assert sample.pred_instances.masks is not sample.coarse_instances.masks
    assert torch.equal(sample.pred_instances.bboxes, sample.coarse_instances.bboxes)
    assert len((CONFIGS / config).read_text().strip().splitlines()) <= 15


AS_MMDETECTION_RUNS_IT = """
import runpy, sys
import bpr.training.mmcv_ops  # for the operators that mmcv-lite lacks
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def test_mmdetections_own_tool_prints_ap_before_and_after(shared_data: Path, tmp_path: Path) -> None:
    import mmdet

    tool = Path(mmdet.__file__).parent / ".mim" / "tools" / "test.py"
    config, weights = live_files(tmp_path)
    annotations = few_images(tmp_path, shared_data / "coco" / "annotations" / "instances_val2017.json", 2)
    files = {"ann_file": annotations, "data_prefix.img": shared_data / "coco" / "val2017", "data_root": ""}
    options = [f"test_dataloader.dataset.{name}={value}" for name, value in files.items()]
    options += [f"test_evaluator.metrics.ann_file={annotations}", "test_dataloader.num_workers=0"]
    options += ["test_dataloader.persistent_workers=False"]
    command = [tool, config, weights, "--work-dir", tmp_path / "work", "--cfg-options", *options]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    line = [sys.executable, "-c", AS_MMDETECTION_RUNS_IT, *map(str, command)]
    process = subprocess.run(line, env=environment, capture_output=True, text=True)
    assert process.returncode == 0, process.stderr[-3000:]
    printed = process.stdout + process.stderr
    assert "before/coco/segm_mAP: 0.0" in printed
    assert " coco/segm_mAP: 0.0" in printed


def test_the_config_of_the_page_is_the_file() -> None:
    page = (ROOT / "docs" / "mmdetection.md").read_text(encoding="utf-8")
    assert f"```python\n{(CONFIGS / COCO).read_text(encoding='utf-8')}```" in page


def test_a_detectors_own_checkpoint_fits(tmp_path: Path) -> None:
    cfg = small(COCO)
    first, second = (MODELS.build(cfg.model) for _ in range(2))
    second.load_state_dict(first.detector.state_dict())
    assert all(map(torch.equal, first.state_dict().values(), second.state_dict().values()))
    second.load_state_dict(first.state_dict())


def test_faint_masks_stay(small_set: SmallSet, tmp_path: Path) -> None:
    small_set.records[0]["score"] = 0.1
    results = small_set.write("faint.json", small_set.records)
    model = RefinedDetector(recorded(results, small_set.ann), Refiner(OracleByMask(results, small_set.ann)), min_score=0.5)
    prefix = tmp_path / "results"
    measure(model, small_set.ann, small_set.images, tmp_path / "work", prefix, metainfo={"classes": ("disk",)})
    before, after = (read_results(f"{prefix}{end}.segm.json") for end in (".before", ""))
    assert [one["segmentation"] == two["segmentation"] for one, two in zip(before, after, strict=True)] == [True, False, False, False]


class Fixed(torch.nn.Module):
    """Always finds the same square; normalises as it is told."""

    def __init__(self, **preprocessor: object) -> None:
        from mmdet.models import DetDataPreprocessor

        super().__init__()
        self.data_preprocessor = DetDataPreprocessor(**preprocessor)

    def forward(self, inputs: torch.Tensor, data_samples: list[DetDataSample], mode: str) -> list[DetDataSample]:
        for sample in data_samples:
            masks = torch.zeros(1, *sample.ori_shape[:2], dtype=torch.bool)
            masks[:, 20:50, 20:60] = True
            sample.pred_instances = InstanceData(masks=masks, scores=torch.ones(1))
        return data_samples


@pytest.mark.parametrize("to_rgb", [True, False])
def test_without_a_file_the_input_is_brought_back(to_rgb: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """A smooth image of three different channels, read as BGR, normalised, enlarged by 4/3 and padded."""
    image = np.stack(np.meshgrid(np.arange(120), np.arange(90)), axis=-1)
    image = np.dstack([image, np.full((90, 120), 200)]).astype(np.uint8)
    options = {"mean": [10.0, 20, 30], "std": [2.0, 3, 4], "bgr_to_rgb": to_rgb, "pad_size_divisor": 32}
    monkeypatch.setattr("bpr.integrations.mmdetection.refined_detector.DETECTORS.build", lambda detector: Fixed(**options))
    model, seen = RefinedDetector({}, bpr.load("identity")), []
    monkeypatch.setattr(model.refiner, "stream", lambda pairs: [seen.append(one) or masks for one, masks in pairs])
    scaled = cv2.resize(image[..., ::-1], (160, 120), interpolation=cv2.INTER_LINEAR)
    meta = {"img_path": None, "img_shape": (120, 160), "ori_shape": (90, 120)}
    batch = {"inputs": [torch.from_numpy(scaled.transpose(2, 0, 1).copy())], "data_samples": [DetDataSample(metainfo=meta)]}
    model.test_step(batch)
    assert seen[0].shape == image.shape
    assert np.abs(seen[0].astype(int) - image).max() <= 2


def live_files(folder: Path) -> tuple[str, str]:
    """A config of our own size and an untrained checkpoint for it, as MMDetection would save it."""
    cfg = small(COCO)
    cfg.dump(folder / "config.py")
    model = MODELS.build(cfg.model)
    torch.save({"meta": {}, "state_dict": model.detector.state_dict()}, folder / "weights.pth")
    return str(folder / "config.py"), str(folder / "weights.pth")


def test_bpr_detect(small_set: SmallSet, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config, weights = live_files(tmp_path)
    (small_set.images / "broken.png").write_bytes(b"no image")
    out = tmp_path / "detected"
    options = ["--det-config", config, "--det-weights", weights, "--min-score", "0", "--out", str(out)]
    assert main(["detect", str(small_set.images), *options]) == 0
    captured = capsys.readouterr()
    assert "4 detections in 2 of 3 images" in captured.out
    assert "broken.png: not an image that OpenCV can decode" in captured.err
    before, after = (read_results(out / f"{side}.segm.json") for side in ("coarse", "refined"))
    assert [record["image_id"] for record in after] == ["000001", "000001", "000002", "000002"]
    for number in ("000001", "000002"):
        masks = [record["segmentation"] for record in before if record["image_id"] == number]
        image = read_image(small_set.images / f"{number}.png")
        assert [record["segmentation"] for record in after if record["image_id"] == number] == bpr.load("starter")(image, masks)
        assert cv2.imread(str(out / "pictures" / f"{number}.png")) is not None
    assert decode_mask(after[0]["segmentation"]).frame == (120, 160)
    assert json.loads((out / "categories.json").read_text())[0] == {"id": 1, "name": "person"}


def test_bpr_detect_takes_ids_from_an_annotation_file(small_set: SmallSet, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config, weights = live_files(tmp_path)
    image = str(small_set.images / "000002.png")
    options = ["--det-config", config, "--det-weights", weights, "--min-score", "0", "--model", "identity", "--out", str(tmp_path / "out")]
    assert main(["detect", image, *options, "--ann", str(small_set.ann)]) == 1
    assert "expected the detector's classes among its categories, got none called 'person'" in capsys.readouterr().err
    classes = CocoDataset.METAINFO["classes"]
    small_set.document["categories"] = [{"id": 100 + index, "name": name} for index, name in enumerate(classes)]
    assert main(["detect", image, *options, "--ann", str(small_set.write("ann.json", small_set.document))]) == 0
    records = read_results(tmp_path / "out" / "refined.segm.json")
    assert {record["image_id"] for record in records} == {2}
    assert all(record["category_id"] >= 100 for record in records)


def test_bpr_detect_says_what_is_missing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((9, 9, 3), np.uint8))
    (tmp_path / "sub").mkdir()
    cv2.imwrite(str(tmp_path / "sub" / "a.png"), np.zeros((9, 9, 3), np.uint8))
    options = ["--det-config", "none.py", "--det-weights", "none.pth", "--model", "identity", "--out", str(tmp_path / "out")]
    assert main(["detect", str(tmp_path / "a.png"), *options]) == 1
    assert "none.py: no such file; expected a config of MMDetection" in capsys.readouterr().err
    assert main(["detect", str(tmp_path / "a.png"), str(tmp_path / "sub"), *options]) == 1
    assert "a: expected every image name once, got it twice" in capsys.readouterr().err
    (tmp_path / "empty").mkdir()
    assert main(["detect", str(tmp_path / "empty"), *options]) == 1
    assert "empty: expected a folder with image files, got none" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
