"""Fit a verdict to a model: refine masks of many makers whose ground truth is known, and learn what became of them.

Legend: N masks, I inputs of the verdict, C leanings, B ranges of the change of IoU.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import onnx
import torch
from torch import nn

from bpr.backends.exported import METADATA_KEY
from bpr.evaluation.boundary_metrics import boundary_counts
from bpr.evaluation.matching import grouped, mask_iou
from bpr.formats.coco import Record, read_results
from bpr.geometry.masks import BoxMask
from bpr.geometry.options import AUTO, LEANINGS
from bpr.geometry.reassembly import Blended
from bpr.geometry.rle import decode_mask
from bpr.io.files import atomic_open
from bpr.io.image_list import spread
from bpr.io.images import read_image
from bpr.refinement.batching import CutImage, PredictedImage
from bpr.refinement.predictor import Instance
from bpr.refinement.refiner import Refiner
from bpr.refinement.verdict.features import describe_blended
from bpr.refinement.verdict.model import LARGEST_INPUT, VerdictModel, inputs_of
from bpr.training.data import wear
from bpr.training.data.extraction import MATCH_IOU
from bpr.training.data.image_dataset import TrainingInstance, load_instances, resized_mask
from bpr.training.data.makers import MAKERS, coarse_mask

EDGES = (-8, -4, -2, -1, -0.4, -0.1, 0.1, 0.4, 1, 2, 4, 8)
"""Changes of IoU, in points, between which the ranges lie."""
REAL, MIXED, PERFECT = "real", "mixed", "perfect"
COUNTED_TWICE = (REAL, PERFECT)
"""Makers whose masks count twice: those that users have most, and those that must not be harmed."""
LEAST_SCORES = (0.05, 0.25, 0.5)
"""Scores above which users keep detections; one is drawn for every image."""
LEAST_AREA = 20
"""Pixels of an object, below which its masks say little."""
MOST_MASKS = 40
"""Masks of an image that are used, at most."""
HIDDEN, STEPS, BATCH = 48, 3000, 256
RATE, DECAY, DROPOUT = 6e-3, 5e-2, 0.25
BOUNDARY_UNIT = 10.0
"""Points of F@2px that are 1 while the network learns."""
BOUNDARY_LOSS = 0.5
"""What the loss of the change of F@2px counts, beside that of the change of IoU."""


@dataclass(frozen=True)
class Samples:
    """What became of N masks.

    Attributes:
        inputs: (N, I) float32.
        gains: (N, C) float32, the change of IoU at every leaning, in points.
        boundary_gains: (N, C) float32, the change of F@2px, in points.
        sources, makers: (N,) names.
        images: (N,) int64, equal for one image at several scales and in several sources.
    """

    inputs: np.ndarray
    gains: np.ndarray
    boundary_gains: np.ndarray
    sources: np.ndarray
    makers: np.ndarray
    images: np.ndarray

    @classmethod
    def joined(cls, parts: Sequence[Samples]) -> Samples:
        """All samples."""
        return cls(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(cls)))

    def of(self, chosen: np.ndarray) -> Samples:
        """Those that are chosen by (N,) bool."""
        return Samples(*(getattr(self, field.name)[chosen] for field in fields(self)))


class Known(NamedTuple):
    """What is known of the masks of an image: their maker, a number of the image, and each mask's ground truth, if any."""

    maker: str
    image: int
    truths: Sequence[BoxMask | None]


def collect(
    refiner: Refiner, name: str, ann: str, img_dir: str, results: str | None = None,
    images: int | None = None, makers: int = 6, scale: float = 1.0, worn: bool = False, seed: int = 0,
) -> Samples:  # fmt: skip
    """Refine masks of many makers for the objects of an annotation file.

    All objects of an image get masks of one maker at a time, as in the files of users: perfect ones, and those of some
    other makers; once each object has its own maker. If ``results`` are given, the image is also met with all that the
    detector found there above some score, false detections among it, because a verdict sees them all.

    Args:
        refiner: with a caution of 0.
        name: of the source.
        images: at most so many, evenly spread.
        makers: how many makers of :mod:`bpr.training.data.makers` an image meets.
        scale: images are resized by this factor.
        worn: images are made worse before (:mod:`bpr.training.data.wear`), so that the network is less often right.
    """
    by_image = grouped(load_instances(ann, img_dir), lambda instance: instance.path)
    detections = grouped(read_results(results) if results else (), lambda record: record["image_id"])
    paths = spread(sorted(by_image), images)

    def cuts() -> Iterator[CutImage[Known]]:
        for number, path in enumerate(paths):
            rng = np.random.default_rng([seed, number])
            instances = by_image[path][:MOST_MASKS]
            found = detections.get(instances[0].annotation["image_id"], [])
            identity = zlib.crc32(str(path).encode())
            image = read_image(path)
            if worn:
                image = wear.worn(image, np.random.default_rng(identity))
            yield from _cut(refiner, image, identity, instances, found, makers, scale, rng)

    return outcomes(refiner, cuts(), name)


def outcomes(refiner: Refiner, cuts: Iterable[CutImage[Known]], name: str) -> Samples:
    """Refine masks whose ground truth is known, at every leaning. The arguments are as for :func:`collect`."""
    inputs, gains, boundary_gains, makers, images = [], [], [], [], []
    for predicted in refiner.predict(cuts):
        known = predicted.cut.token
        for values, changes in zip(*_outcomes_of_image(refiner, predicted), strict=True):
            if changes is not None:
                inputs.append(values)
                gains.append(changes[0])
                boundary_gains.append(changes[1])
                makers.append(known.maker)
                images.append(known.image)
    return Samples(
        *(np.array(values, np.float32) for values in (inputs, gains, boundary_gains)),
        np.full(len(inputs), name), np.array(makers), np.array(images),
    )  # fmt: skip


def _cut(
    refiner: Refiner, image: np.ndarray, identity: int, instances: Sequence[TrainingInstance], found: Sequence[Record],
    makers: int, scale: float, rng: np.random.Generator,
) -> Iterator[CutImage[Known]]:  # fmt: skip
    """The image once per maker, with the masks that would be matched to their objects, and with the detector's."""
    frame = instances[0].frame
    height, width = (max(1, round(side * scale)) for side in image.shape[:2])
    if scale != 1:
        image = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
    truths = [_scaled(decode_mask(one.annotation["segmentation"], frame), (width, height), scale) for one in instances]
    truths = [truth for truth in truths if truth.area >= LEAST_AREA]
    if not truths:
        return
    least = rng.choice(LEAST_SCORES)
    likely = sorted((one for one in found if one["score"] >= least), key=lambda one: -float(one["score"]))[:MOST_MASKS]
    masks = [_scaled(decode_mask(one["segmentation"], frame), (width, height), scale) for one in likely]
    detected = [Instance(mask, score=float(one["score"])) for mask, one in zip(masks, likely, strict=True) if mask.area]
    if detected:
        ious = mask_iou([one.mask for one in detected], truths)
        matched = [truths[row.argmax()] if row.max() > MATCH_IOU else None for row in ious]
        yield refiner.cut(image, detected, Known(REAL, identity, matched))
    others = rng.choice(np.arange(1, len(MAKERS)), size=min(makers, len(MAKERS)) - 1, replace=False)
    for maker in (None, MAKERS[0], *(MAKERS[other] for other in others)):
        pairs = [(coarse_mask(truth, rng, maker), truth) for truth in truths]
        kept = [(coarse, truth) for coarse, truth in pairs if coarse.area and mask_iou([coarse], [truth])[0, 0] > MATCH_IOU]
        if kept:
            known = Known(maker.name if maker else MIXED, identity, [truth for _, truth in kept])
            yield refiner.cut(image, [Instance(coarse) for coarse, _ in kept], known)


def _scaled(mask: BoxMask, size: tuple[int, int], scale: float) -> BoxMask:
    return mask if scale == 1 else resized_mask(mask.to_frame(), size)


def _outcomes_of_image(
    refiner: Refiner, predicted: PredictedImage[Known]
) -> tuple[np.ndarray, list[np.ndarray | None]]:
    """For every mask that has patches: (I,) inputs, and the changes at the leanings if the ground truth is known.

    The changes are (2, C): of IoU and of F@2px, in points.
    """
    spec, described, changes = refiner.predictor.spec, [], []
    parts = zip(predicted.cut.instances, predicted.by_instance(), predicted.cut.token.truths, strict=True)
    for instance, of, truth in parts:
        if len(of.boxes):
            blended = Blended.of(instance.mask, of.boxes, of.probabilities, spec, refiner.options.blend)
            described.append((describe_blended(blended, of.patches, spec), instance.score))
            changes.append(None)
            if truth is not None:
                masks = [instance.mask, *(blended.refined(leaning) for leaning in LEANINGS)]
                scores = np.stack([mask_iou(masks, [truth])[:, 0], [boundary_counts(mask, truth).f for mask in masks]])
                changes[-1] = 100 * (scores[:, 1:] - scores[:, :1])
    return (inputs_of(*zip(*described, strict=True)) if described else np.empty((0, 0))), changes


class _Network(nn.Module):
    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(inputs, HIDDEN), nn.Linear(HIDDEN, HIDDEN)
        self.last = nn.Linear(HIDDEN, len(LEANINGS) * (len(EDGES) + 2))

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """(N, C, B + 1): logits of the ranges, and the change of F@2px in :data:`BOUNDARY_UNIT`."""
        hidden = nn.functional.dropout(nn.functional.silu(self.first(inputs)), DROPOUT, self.training)
        return self.last(nn.functional.silu(self.second(hidden))).view(len(inputs), len(LEANINGS), -1)


def fit(samples: Samples, aversion: float, boundary_weight: float, least: float, seed: int = 0) -> VerdictModel:
    """A verdict that predicts the samples' changes of IoU and F@2px. Each member of its ensemble leaves out one source.

    Args:
        aversion, boundary_weight, least: fields of :class:`~bpr.refinement.verdict.model.VerdictModel`.
    """
    centre, spread = samples.inputs.mean(0), samples.inputs.std(0) + 1e-3
    scaled = np.clip((samples.inputs - centre) / spread, -LARGEST_INPUT, LARGEST_INPUT).astype(np.float32)
    ranges = np.digitize(samples.gains, EDGES)
    groups, counts = np.unique(np.char.add(samples.sources, samples.makers), return_inverse=True, return_counts=True)[1:]
    weights = (1 + np.isin(samples.makers, COUNTED_TWICE)) / np.sqrt(counts[groups])
    inputs, targets = torch.tensor(scaled), torch.tensor(ranges)
    boundary_targets = torch.tensor(samples.boundary_gains / BOUNDARY_UNIT)
    members, names = [], np.unique(samples.sources)
    for number, left_out in enumerate(names):
        shares = torch.tensor(weights * ((samples.sources != left_out) | (len(names) == 1)))
        torch.manual_seed(seed * len(names) + number)
        network = _Network(inputs.shape[1])
        optimizer = torch.optim.AdamW(network.parameters(), weight_decay=DECAY)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, STEPS)
        for _ in range(STEPS):
            drawn = torch.multinomial(shares, BATCH, replacement=True)
            predicted = network(inputs[drawn])
            loss = nn.functional.cross_entropy(predicted[..., :-1].flatten(0, 1), targets[drawn].flatten())
            loss += BOUNDARY_LOSS * nn.functional.smooth_l1_loss(predicted[..., -1], boundary_targets[drawn])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
        with torch.no_grad():
            for values in (network.last.weight, network.last.bias):
                values.view(len(LEANINGS), len(EDGES) + 2, -1)[:, -1] *= BOUNDARY_UNIT
        members.append(network)
    layers = {name: _stacked([getattr(member, name) for member in members]) for name in ("first", "second", "last")}
    middles = np.convolve([2 * EDGES[0], *EDGES, 2 * EDGES[-1]], [0.5, 0.5], "valid")
    outcomes = [samples.gains[ranges == k].mean() if (ranges == k).any() else middle for k, middle in enumerate(middles)]
    numbers = {"edges": EDGES, "outcomes": outcomes, "boundary_weight": boundary_weight, "aversion": aversion, "least": least}
    return VerdictModel(centre=centre, spread=spread, **layers, **{name: np.float32(value) for name, value in numbers.items()})


def add_verdict(model: str | Path, out: str | Path, verdict: Mapping[str, Any]) -> None:
    """Write an exported model with a verdict, which it recommends to refine with.

    Args:
        verdict: the values of :meth:`~bpr.refinement.verdict.model.VerdictModel.to_dict`.
    """
    proto = onnx.load(str(model))
    entry = next(item for item in proto.metadata_props if item.key == METADATA_KEY)
    metadata = json.loads(entry.value)
    metadata["scheme"]["caution"] = AUTO
    entry.value = json.dumps({**metadata, "verdict": dict(verdict)})
    with atomic_open(out, "wb") as file:
        file.write(proto.SerializeToString())


def _stacked(layers: Sequence[nn.Linear]) -> np.ndarray:
    """(E, inputs + 1, outputs): weights with the biases below."""
    return np.stack([torch.cat([one.weight.T, one.bias[None]]).detach().numpy() for one in layers])


def judged(model: VerdictModel, samples: Samples) -> np.ndarray:
    """(3, N): what the verdict makes of each sample, in points: the change of IoU and of F@2px, and the expected change of IoU."""
    best, taken, expected = model.choose(samples.inputs)
    chosen = np.arange(len(best)), best
    return np.where(taken, np.stack([samples.gains[chosen], samples.boundary_gains[chosen], expected]), 0)


def summary(samples: Samples, changes: np.ndarray) -> list[dict[str, Any]]:
    """By source and maker: masks, the mean change without and with the verdict, and how many are harmed by a point.

    Args:
        changes: (2, N), of IoU and of F@2px by the verdict, in points.
    """
    rows = []
    for source in dict.fromkeys(samples.sources.tolist()):
        for maker in dict.fromkeys(samples.makers[samples.sources == source].tolist()):
            chosen = (samples.sources == source) & (samples.makers == maker)
            plain, best = samples.gains[chosen, 0], np.maximum(samples.gains[chosen].max(1), 0)
            after, boundary_after = changes[:, chosen]
            rows.append({
                "source": source, "maker": maker, "masks": int(chosen.sum()),
                "iou": {"all": plain.mean(), "verdict": after.mean(), "best": best.mean()},
                "f": {"all": samples.boundary_gains[chosen, 0].mean(), "verdict": boundary_after.mean()},
                "harmed": {"all": (plain < -1).mean(), "verdict": (after < -1).mean()},
            })  # fmt: skip
    return rows
