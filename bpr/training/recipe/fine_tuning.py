"""Fine-tune a trained model on a user's images, and export the result if it refines held-out images no worse.

work_dir/train.json, held_out.json   the annotations, split by image
work_dir/start.pth                   the weights of the model to start from
work_dir/fine_tuning.py              the config of the training, beside its logs and checkpoints
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

import torch
from mmengine.config import Config, ConfigDict

from bpr.backends import start_file
from bpr.backends.onnx_runtime import OnnxPredictor
from bpr.configs import packaged_configs
from bpr.errors import BPRError, amount, shown
from bpr.evaluation.comparison import UNCHANGED
from bpr.formats.coco import INSTANCES, positions_by_kind, read_annotations
from bpr.geometry.options import AUTO, from_config
from bpr.io.files import atomic_open, check_writable, sha256_of, write_json
from bpr.io.image_list import ImageList, spread
from bpr.refinement.refiner import Refiner
from bpr.training.checkpoints import load_into, read_state_dict, write_state_dict
from bpr.training.conversion import fit_state_dict
from bpr.training.data.image_dataset import load_instances
from bpr.training.export.from_onnx import exported_state_dict
from bpr.training.export.to_onnx import export_onnx, provenance_of
from bpr.training.network.segmentor import build_network, read_config
from bpr.training.recipe.held_out import F_LABEL, IOU_LABEL, HeldOut, image_of
from bpr.training.recipe.runner import build_runner, parse_options
from bpr.training.verdict import add_verdict

BASE = "_base_/fine_tuning.py"
HELD_OUT_SHARE, MOST_HELD_OUT = 5, 40
"""One image in five is held out, but no more than MOST_HELD_OUT: each validation refines them."""
VALIDATIONS = 3
WARM_UP = 20
"""Iterations in which the learning rate rises."""
OWN_CONFIG = "train its own config from its checkpoint (load_from)"
"""The remedy for a file that is no network of BPR's."""


@dataclass(frozen=True, eq=False)
class Start:
    """An exported model to start from.

    Attributes:
        name: as the user gave it.
        path: the file.
        config: the config of its network, by name.
        network: the config's ``model``, with the input side of the file.
        refinement: how patches are cut, and the options that the file recommends, in the form of a config. While it
            trains, the network is validated without a verdict: the caution ``auto`` becomes 0.
        state: its weights.
        verdict: its verdict in the file's metadata, which the fine-tuned model takes over.
    """

    name: str
    path: Path
    config: str
    network: ConfigDict
    refinement: dict[str, Any]
    state: dict[str, torch.Tensor]
    verdict: dict[str, Any] | None


@dataclass(frozen=True)
class Outcome:
    """What a fine-tuning did.

    Attributes:
        images, instances: of the held-out set.
        scores: of the coarse masks, of the start and of the fine-tuned model, by their names: the metrics of
            :func:`~bpr.training.recipe.held_out.metrics_of`.
        worse: how the fine-tuned model is worse than its start, in which case nothing was written; None if it is not.
    """

    images: int
    instances: int
    scores: Mapping[str, Mapping[str, float]]
    worse: str | None


def fine_tune(
    model: str,
    annotations: str,
    images: str,
    out: str,
    results: str | None = None,
    work_dir: str | None = None,
    options: Sequence[str] = (),
    resume: str | None = None,
    amp: Literal["bf16", "fp16"] | None = None,
    versions: Mapping[str, str | None] | None = None,
) -> Outcome:
    """Continue to train ``model``, and write the best checkpoint to ``out`` unless it is worse than ``model``.

    Args:
        model: a name of :func:`~bpr.backends.named_models` or an exported file.
        annotations: COCO annotations of the user's images.
        images: folder of these images.
        out: the ONNX file to write.
        results: a detector's results on these images; half of the coarse masks to train on, and all to validate on,
            are then its own. By default, all are made from the annotations.
        work_dir: by default ``work_dirs/<stem of out>``.
        options, resume, amp: as for :func:`~bpr.training.recipe.runner.build_runner`.
        versions: of the packages, for the file's provenance.

    Raises:
        BPRError: an input cannot be used.
    """
    check_writable(out)
    folder = Path(work_dir or Path("work_dirs") / Path(out).stem)
    start = read_start(model)
    document = read_annotations(annotations)
    load_instances(annotations, images, document=document)  # names what no training can use, before minutes of work
    parts = split_by_image(document, annotations)
    for name, part in parts.items():
        write_json(folder / f"{name}.json", part)
    held_out = HeldOut(str(folder / "held_out.json"), images, results)
    count = f"{amount(len(held_out.image_ids), 'held-out image')} with {amount(len(held_out.before), 'matched instance')}"
    trained = f"{amount(len(parts['train']['images']), 'image')} with {amount(len(parts['train']['annotations']), 'annotation')}"
    print(f"training {start.name} on {trained}; measuring on {count}")
    before = held_out.measure(Refiner(OnnxPredictor(start.path)))
    print(f"{start.name}: {IOU_LABEL} {_arrow(before, IOU_LABEL)}, {F_LABEL} {_arrow(before, F_LABEL)}")
    write_state_dict(folder / "start.pth", start.state, {"converted_from": start.path.name})
    cfg = _config(start, folder, images, results)
    _schedule(cfg, parse_options(options).get("train_cfg.max_iters"))
    runner = build_runner(cfg, str(folder), options, resume, amp)
    runner.train()
    print("exporting the best checkpoint, and measuring it as it will refine, with the verdict;")
    print("if this is interrupted, the same command with --resume does it again")
    with tempfile.TemporaryDirectory() as temporary:
        exported = Path(temporary) / "model.onnx"
        note = f"{start.name} ({sha256_of(start.path)[:12]}), then {Path(annotations).name}: {trained}"
        best = Path(runner.message_hub.get_info("best_ckpt"))
        _export(start, runner.cfg, best, exported, provenance_of(start.config, best, note, versions or {}))
        after = held_out.measure(Refiner(OnnxPredictor(exported)))
        worse = _worse(before, after)
        if worse is None:
            with atomic_open(out, "wb") as file:
                file.write(exported.read_bytes())
    coarse = {name.replace("/before", "/after"): value for name, value in before.items() if name.endswith("/before")}
    scores = {
        "coarse masks": coarse,
        start.name: before,
        f"fine-tuned (best at iteration {best.stem.rpartition('_')[2]})": after,
    }
    return Outcome(len(held_out.image_ids), len(held_out.before), scores, worse)


def read_start(model: str) -> Start:
    """The network, the options and the weights of an exported model.

    Raises:
        BPRError: no such model, its config is not here, or it does not hold the weights of its config's network.
    """
    path = start_file(model)
    predictor = OnnxPredictor(path)
    # A config is code, so only those of the package are read, whatever path the file may name.
    config = Path(str(predictor.metadata.get("provenance", {}).get("config"))).name
    if not (packaged_configs() / config).is_file():
        raise BPRError(f"{path}: expected a network of a config that comes with BPR, got {shown(config)}; {OWN_CONFIG}")
    network = read_config(packaged_configs() / config).model
    network.pretrained = None
    network.data_preprocessor.update(input_side=predictor.metadata["input_side"], inputs=list(predictor.spec.inputs))
    module = build_network(network)
    fit = fit_state_dict(exported_state_dict(path, module), module.state_dict())
    if fit.missing:
        raise BPRError(f"{path}: expected the float weights of {config}, got no {fit.missing[0]}; int8 files cannot be trained")
    if not fit.complete:
        other = [*fit.unexpected, *fit.reshaped][0]
        raise BPRError(f"{path}: expected the weights of {config}, got {other} of another network; {OWN_CONFIG}")
    patch = {**asdict(predictor.spec), "inputs": list(predictor.spec.inputs)}
    recommended = predictor.recommended
    if recommended.caution == AUTO:
        recommended = replace(recommended, caution=0.0)
    refinement = {"patch": patch, "train": {}, "test": asdict(recommended)}
    return Start(model, path, config, network, refinement, fit.state_dict(), predictor.metadata.get("verdict"))


def split_by_image(document: dict[str, Any], name: str) -> dict[str, dict[str, Any]]:
    """``train`` and ``held_out``: the annotation file with a part of the annotated images each.

    Raises:
        BPRError: fewer than two images have annotations.
    """
    images = ImageList(document["images"])
    instances = [document["annotations"][index] for index in positions_by_kind(document["annotations"])[INSTANCES]]
    annotated = {image_of(item, images) for item in instances}
    ids = [image["id"] for image in document["images"] if image["id"] in annotated]
    if len(ids) < 2:
        expected = "expected at least 2 images with annotated instances, one to train on and one to measure on"
        raise BPRError(f"{name}: {expected}, got {len(ids)}; annotate more images")
    held_out = set(spread(ids, min(MOST_HELD_OUT, max(1, len(ids) // HELD_OUT_SHARE))))
    parts = {"train": set(ids) - held_out, "held_out": held_out}
    return {
        part: {
            **document,
            "images": [image for image in document["images"] if image["id"] in chosen],
            "annotations": [item for item in document["annotations"] if image_of(item, images) in chosen],
        }
        for part, chosen in parts.items()
    }


def _config(start: Start, folder: Path, images: str, results: str | None) -> Config:
    cfg = read_config(packaged_configs() / BASE)
    cfg.model, cfg.refinement = start.network, ConfigDict(start.refinement)
    dataset = cfg.train_dataloader.dataset
    dataset.patch = cfg.refinement.patch
    dataset.sources = [
        {"ann": str(folder / "train.json"), "img_dir": images, **({"results": results} if results else {})}
    ]
    cfg.val_cfg.update(annotations=str(folder / "held_out.json"), images=images, results=results)
    cfg.load_from = str(folder / "start.pth")
    return cfg


def _schedule(cfg: Config, iterations: object) -> None:
    """Let the learning rate fall to zero at the last iteration, and validate VALIDATIONS times until then."""
    last = iterations if isinstance(iterations, int) else cfg.train_cfg.max_iters
    warm_up = min(WARM_UP, last // 2)
    cfg.train_cfg.val_interval = cfg.default_hooks.checkpoint.interval = max(1, last // VALIDATIONS)
    rising = {"type": "LinearLR", "start_factor": 0.1, "begin": 0, "end": warm_up, "by_epoch": False}
    falling = {"type": "CosineAnnealingLR", "eta_min": 1e-6, "begin": warm_up, "end": last, "by_epoch": False}
    cfg.param_scheduler = [rising, falling] if warm_up else [falling]


def _export(start: Start, cfg: Config, checkpoint: Path, out: Path, provenance: dict[str, Any]) -> None:
    network = build_network(start.network).eval()
    load_into(network, read_state_dict(checkpoint), f"{checkpoint}: does not fit {start.config}")
    export_onnx(network, *from_config(cfg.refinement, "test"), out, provenance)
    if start.verdict:
        add_verdict(out, out, start.verdict)


def _worse(before: Mapping[str, float], after: Mapping[str, float]) -> str | None:
    """How ``after`` is worse than ``before``, by the boundary F or by the IoU; None if it is not."""
    lost = {label: before[f"{label}/after"] - after[f"{label}/after"] for label in (F_LABEL, IOU_LABEL)}
    if lost[F_LABEL] <= 0 and lost[IOU_LABEL] <= UNCHANGED:
        return None
    return ", ".join(
        f"{name} {100 * after[f'{name}/after']:.1f} after {100 * before[f'{name}/after']:.1f}" for name in lost
    )


def _arrow(metrics: Mapping[str, float], label: str) -> str:
    return f"{100 * metrics[f'{label}/before']:.1f} -> {100 * metrics[f'{label}/after']:.1f}"
