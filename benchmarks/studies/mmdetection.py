"""MMDetection's own test loop and CocoMetric on COCO val: masks of a detector and refined ones, in one run.

    python -m benchmarks.studies.mmdetection DATA recorded oracle
    python -m benchmarks.studies.mmdetection DATA recorded starter
    python -m benchmarks.studies.mmdetection DATA untrained identity

DATA holds coco/ and detections/. `recorded` replays the detections of YOLOv8n-seg; those of a score below .05 stay as they are.
`untrained` is the Mask R-CNN of configs/detection with random weights: it only shows that the code path works. `oracle` returns
the ground truth of matched masks. One file per run goes to docs/results/mmdetection.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner import Runner

import bpr
from benchmarks.inputs import VAL
from benchmarks.measuring import RESULTS, ROOT, dated_versions, write_report
from bpr.evaluation.matched_pairs import LEAST_SCORE
from bpr.formats.coco import read_annotations, read_results
from bpr.formats.ground_truth import GroundTruth
from bpr.geometry.masks import BoxMask
from bpr.geometry.patches import crop_window
from bpr.geometry.rle import decode_mask, encode_mask
from bpr.geometry.options import PatchSpec, RefineOptions
from bpr.integrations.mmdetection import RefinedDetector
from bpr.refinement.predictor import PatchBatch
from bpr.refinement.refiner import Refiner

CONFIG = ROOT / "configs" / "detection" / "mask-rcnn_r50_fpn_1x_coco_bpr-starter.py"
PACKAGES = ("bpr", "mmdet", "mmengine", "torch", "onnxruntime", "pycocotools")


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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("detector", choices=("recorded", "untrained"))
    parser.add_argument("model", help="oracle (recorded only), or what bpr.load takes")
    args = parser.parse_args()
    images, annotations, results = (args.data / path for path in VAL["coco_val2017"])
    refiner = Refiner(OracleByMask(results, annotations)) if args.model == "oracle" else bpr.load(args.model)
    cfg = on_files(annotations, images)
    if args.detector == "recorded":
        cfg.model.detector = {"type": "bpr.RecordedDetector", "results": str(results), "annotations": str(annotations)}
        cfg.model.min_score = LEAST_SCORE
    else:
        leave_untrained(cfg)
    init_default_scope(cfg.default_scope)
    start, name = time.perf_counter(), Path(args.model).stem
    report = {"detector": args.detector, "refiner": name, "images": len(read_annotations(annotations)["images"])}
    figures = {"measured": test(cfg, refiner), "seconds": time.perf_counter() - start}
    out = RESULTS / "mmdetection" / f"{args.detector}_{name}.json"
    write_report(out, {**report, **figures, **dated_versions(PACKAGES)})


def on_files(annotations: Path, images: Path) -> Config:
    """The config for COCO with these files, and small images."""
    cfg = Config.fromfile(CONFIG)
    cfg.test_dataloader.update(num_workers=0, persistent_workers=False)
    cfg.test_dataloader.dataset.update(data_root="", ann_file=str(annotations), data_prefix={"img": str(images)})
    cfg.test_dataloader.dataset.pipeline[1].scale = (160, 100)
    cfg.test_evaluator.metrics.ann_file = str(annotations)
    cfg.work_dir = "runs/mmdetection"
    return cfg


def leave_untrained(cfg: Config) -> None:
    """Keep the first two detections, although random weights give every class the same low score."""
    torch.manual_seed(0)
    cfg.model.detector.test_cfg.rpn.update(nms_pre=50, max_per_img=50)
    cfg.model.detector.test_cfg.rcnn.update(score_thr=0.0, max_per_img=2)


def test(cfg: Config, refiner: Refiner) -> dict[str, Any]:
    """MMDetection's test loop, which prints its tables."""
    model = RefinedDetector(cfg.model.detector, refiner, cfg.model.get("min_score", 0.0))
    names = ("test_dataloader", "test_cfg", "test_evaluator", "default_scope")
    return Runner(model, cfg.work_dir, **{name: cfg[name] for name in names}).test()


if __name__ == "__main__":
    main()
