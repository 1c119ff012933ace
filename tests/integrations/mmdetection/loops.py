"""MMDetection's test loop on a few small images."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner import Runner

from tests.conftest import ROOT

CONFIGS = ROOT / "configs" / "detection"


def few_images(folder: Path, annotations: Path, count: int) -> Path:
    """The first images of an annotation file that have annotations, as a file of their own."""
    document = json.loads(annotations.read_text())
    annotated = {annotation["image_id"] for annotation in document["annotations"]}
    document["images"] = [image for image in document["images"] if image["id"] in annotated][:count]
    kept = {image["id"] for image in document["images"]}
    document["annotations"] = [annotation for annotation in document["annotations"] if annotation["image_id"] in kept]
    path = folder / "few.json"
    path.write_text(json.dumps(document))
    return path


def measure(model: Any, annotations: Path, images: Path, work_dir: Path, prefix: Path | None = None, **dataset: Any) -> dict[str, float]:
    """What MMDetection's loop measures, refined and before."""
    pipeline = [{"type": "LoadImageFromFile"}, {"type": "Resize", "scale": (160, 120), "keep_ratio": True}, {"type": "PackDetInputs"}]
    files = {"ann_file": str(annotations), "data_prefix": {"img": str(images)}}
    metric = {"type": "CocoMetric", "ann_file": str(annotations), "metric": "segm", "outfile_prefix": prefix and str(prefix)}
    runner = Runner(
        model,
        str(work_dir),
        test_dataloader={
            "dataset": {"type": "CocoDataset", **files, "test_mode": True, "pipeline": pipeline, **dataset},
            "sampler": {"type": "DefaultSampler", "shuffle": False},
            "batch_size": 2,
        },
        test_cfg={},
        test_evaluator={"type": "bpr.BeforeAfterEvaluator", "metrics": metric},
        default_scope="mmdet",
        experiment_name=work_dir.name,
    )
    return runner.test()


def small(name: str) -> Config:
    """A config of ours whose untrained detector finds two things in a small image, whatever their score."""
    cfg = Config.fromfile(CONFIGS / name)
    init_default_scope(cfg.default_scope)
    cfg.model.refiner = {"model": "identity"}
    cfg.model.detector.test_cfg.rpn.update(nms_pre=50, max_per_img=50)
    cfg.model.detector.test_cfg.rcnn.update(score_thr=0.0, max_per_img=2)
    cfg.test_dataloader.dataset.pipeline[1].scale = (160, 120)
    torch.manual_seed(0)
    return cfg
