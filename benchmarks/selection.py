"""Fewer patches: quality against the share of patches that is refined, for every signal that may choose them.

    python benchmarks/selection.py DATA davis_val --out docs/results/selection_davis_val.json --plot docs/assets/selection_davis_val.png
    python benchmarks/selection.py data/starter davis_choose          # held out, to choose by (benchmarks/hold_out.py)

All patches of the matched pairs go through the network once, in one thread (of several passes, the first); every point of
every curve puts a part of its answers back. ``--spaced`` adds what patches farther apart give, the plain way to have fewer,
by passes of their own.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))  # benchmarks/ is part of the checkout, not of the package

from benchmarks.measuring import processor
from benchmarks.quality import PACKAGES, SETS
from benchmarks.selection_signals import SIGNALS, Subject, cheap_answers
from bpr.backends import named_models
from bpr.backends.onnx_runtime import OnnxPredictor
from bpr.cli.options import versions_of
from bpr.evaluation.boundary_metrics import boundary_counts, overlap
from bpr.evaluation.inputs import check_annotations, check_detections
from bpr.evaluation.matched_pairs import LEAST_SCORE, TOLERANCE, Pair, match_pairs
from bpr.formats.coco import read_annotations, read_results
from bpr.geometry.doubt import boundary_doubt
from bpr.geometry.masks import BoxMask
from bpr.geometry.proposals import patch_boxes
from bpr.geometry.reassembly import put_back
from bpr.geometry.rle import decode_mask
from bpr.geometry.scheme import PatchScheme
from bpr.geometry.selection import SEEN, patch_area, select_boxes, spend
from bpr.io.files import atomic_open, sha256_of, write_json
from bpr.io.images import ImageFolder, read_image
from bpr.refinement.batching import counts_to_slices
from bpr.refinement.predictor import Instance
from bpr.refinement.refiner import Refiner
from bpr.report.plots import import_pyplot, save_png

HELD_OUT = {f"{name}_choose": (f"images/{name}", f"{name}_choose.instances.json", f"{name}_choose.segm.json")
            for name in ("davis", "coco", "crisp")}  # fmt: skip
SHARES = (0.1, 0.25, 0.5, 0.75, 1.0)
SPACED = ((0.1, 4), (0.0, 4), (0.0, 0))
"""Suppression IoU and cover margin of patches farther apart than usual."""
CHOSEN = "edge"
AMONG_ALL = {"edge, all detections share the budget": False, "edge times score, all detections share the budget": True}
"""The budget as `bpr refine --keep` shares it, by doubt alone and, as it does, with the scores."""
RANDOM_SEEDS = 3
Kept = list[np.ndarray]


@dataclass(frozen=True, eq=False)
class Scene:
    """An image with the coarse masks of its matched pairs, and every answer of the network.

    ``among_all``: for every way of AMONG_ALL and every share the patches of these masks that are kept where all detections
    of the image share the budget.
    """

    subjects: list[Subject]
    among_all: dict[str, list[Kept]]
    scores: dict[tuple[int, bytes], np.ndarray] = field(default_factory=dict)

    @property
    def boxes(self) -> list[np.ndarray]:
        return [subject.boxes for subject in self.subjects]

    @property
    def patches(self) -> int:
        return sum(map(len, self.boxes))

    def select(self, signal: str, shares: Sequence[float], seen: float = SEEN) -> list[Kept]:
        """The patches that a signal chooses, for every share."""
        doubts, areas = [SIGNALS[signal](subject) for subject in self.subjects], [subject.area for subject in self.subjects]
        return [spend(doubts, areas, self.boxes, self.budget(share), seen) for share in shares]

    def draw(self, rng: np.random.Generator, shares: Sequence[float]) -> list[Kept]:
        """Any patches, for every share."""
        places = rng.permutation(self.patches)
        slices = counts_to_slices([len(own) for own in self.boxes])
        return [[places[own] < self.budget(share) for own in slices] for share in shares]

    def budget(self, share: float) -> int:
        return PatchScheme(keep=share).budget(self.patches)

    def quality(self, kept: Kept) -> np.ndarray:
        """(pairs, 2): F@2px and IoU of every mask with only the ``kept`` patches put back."""
        return np.array([self._scores(place, own) for place, own in enumerate(kept)])

    def _scores(self, place: int, kept: np.ndarray) -> np.ndarray:
        key = place, kept.tobytes()
        if key not in self.scores:
            subject = self.subjects[place]
            refined = put_back(subject.mask, subject.boxes[kept], subject.answers[kept], subject.scheme)
            self.scores[key] = agreement(refined, subject.truth)
        return self.scores[key]


def agreement(mask: BoxMask, truth: BoxMask) -> np.ndarray:
    return np.array([boundary_counts(mask, truth, TOLERANCE).f, overlap(mask, truth).iou])


class Measurement:
    """A model on a set: one forward pass, many selections."""

    def __init__(self, data: Path, name: str, model: str) -> None:
        images, annotations, results = {**SETS, **HELD_OUT}[name]
        document = check_annotations(read_annotations(data / annotations), annotations)
        self.records = check_detections(read_results(data / results), document, results).records
        self.pairs_of: dict[Any, list[Pair]] = {}
        for pair in match_pairs(self.records, document):
            self.pairs_of.setdefault(pair.image_id, []).append(pair)
        self.images = ImageFolder(data / images, document["images"])
        self.predictor = OnnxPredictor(named_models().get(model, Path(model)), threads=1)
        self.predictor.scheme = self.predictor.scheme.changed(passes=1)
        self.cheap = OnnxPredictor(named_models()["starter-fast"], threads=1)
        self.seconds = dict.fromkeys(("forward", "select", "32 px pass"), 0.0)
        self.scenes = [self._scene(image_id) for image_id in self.pairs_of]
        self.before = np.concatenate([scene.quality([np.zeros(len(own), bool) for own in scene.boxes]) for scene in self.scenes])

    def _coarse(self, image_id: Any) -> tuple[np.ndarray, list[BoxMask]]:
        image = read_image(self.images.path(image_id))
        return image, [decode_mask(self.records[pair.record]["segmentation"], image.shape[:2]) for pair in self.pairs_of[image_id]]

    def _scene(self, image_id: Any) -> Scene:
        image, masks = self._coarse(image_id)
        cut = Refiner(self.predictor).cut(image, [Instance(mask) for mask in masks])
        answers = self._timed("forward", lambda: self.predictor.predict(cut.batch))
        cheap = self._timed("32 px pass", lambda: cheap_answers(self.cheap, cut.batch.patches))
        boxes = [cut.batch.boxes[own] for own in counts_to_slices(cut.counts)]
        scores = [self.records[pair.record]["score"] for pair in self.pairs_of[image_id]]
        self._timed("select", lambda: select_boxes(image, masks, scores, boxes, PatchScheme(keep=0.5)))
        subjects = [
            Subject(image, mask, score, patch_area(mask, cut.batch.boxes[own]), cut.batch.boxes[own],
                    self.predictor.scheme, cheap[own], answers[own], pair.truth)
            for pair, mask, score, own in zip(self.pairs_of[image_id], masks, scores, counts_to_slices(cut.counts), strict=True)
        ]  # fmt: skip
        return Scene(subjects, self._among_all(image_id, image))

    def _among_all(self, image_id: Any, image: np.ndarray) -> dict[str, list[Kept]]:
        records = [i for i, record in enumerate(self.records) if record["image_id"] == image_id and record["score"] >= LEAST_SCORE]
        masks = [decode_mask(self.records[index]["segmentation"], image.shape[:2]) for index in records]
        scores = [self.records[index]["score"] for index in records]
        boxes = [patch_boxes(mask, self.predictor.scheme) for mask in masks]
        areas = [patch_area(mask, own) for mask, own in zip(masks, boxes, strict=True)]
        plain = [boundary_doubt(image, mask, area) for mask, area in zip(masks, areas, strict=True)]
        weighted = [np.float32(score) * doubt for score, doubt in zip(scores, plain, strict=True)]
        budgets = [PatchScheme(keep=share).budget(sum(map(len, boxes))) for share in SHARES]
        places = [records.index(pair.record) for pair in self.pairs_of[image_id]]
        ways = {name: weighted if by_score else plain for name, by_score in AMONG_ALL.items()}
        spent = {name: [spend(doubts, areas, boxes, budget) for budget in budgets] for name, doubts in ways.items()}
        return {name: [[kept[place] for place in places] for kept in points] for name, points in spent.items()}

    def _timed(self, stage: str, function: Callable[[], Any]) -> Any:
        start = time.perf_counter()
        result = function()
        self.seconds[stage] += time.perf_counter() - start
        return result

    def curve(self, select: Callable[[Scene], list[Kept]], shares: Sequence[float] = SHARES) -> list[dict[str, float]]:
        """Mean gains at every share, with the patches that ``select`` chooses for the shares."""
        selections = zip(*(select(scene) for scene in self.scenes), strict=True)
        return [{"share": share, **self._gains(kept)} for share, kept in zip(shares, selections, strict=True)]

    def random_curve(self) -> list[dict[str, float]]:
        """The mean of some seeded random choices."""
        rngs = [np.random.default_rng(seed) for seed in range(RANDOM_SEEDS)]
        curves = [self.curve(lambda scene, rng=rng: scene.draw(rng, SHARES)) for rng in rngs]
        return [{key: float(np.mean([point[key] for point in points])) for key in points[0]} for points in zip(*curves, strict=True)]

    def _gains(self, kept: Sequence[Kept]) -> dict[str, float]:
        after = np.concatenate([scene.quality(own) for scene, own in zip(self.scenes, kept, strict=True)])
        f, iou = (after - self.before).mean(axis=0).tolist()
        return {"patches": int(sum(own.sum() for scene in kept for own in scene)), "f": f, "iou": iou}

    def spaced(self, nms_iou: float, cover_margin: int) -> dict[str, Any]:
        """Gains with patches farther apart, by a forward pass of their own."""
        usual = self.predictor.scheme
        self.predictor.scheme = usual.changed(nms_iou=nms_iou, cover_margin=cover_margin)
        refiner, patches, after = Refiner(self.predictor), 0, []
        for image_id, pairs in self.pairs_of.items():
            image, masks = self._coarse(image_id)
            predicted = next(refiner.predict([refiner.cut(image, [Instance(mask) for mask in masks])]))
            patches += len(predicted.cut.batch)
            after += [agreement(mask, pair.truth) for mask, pair in zip(refiner.put_back(predicted), pairs, strict=True)]
        self.predictor.scheme = usual
        f, iou = (np.array(after) - self.before).mean(axis=0).tolist()
        return {"nms_iou": nms_iou, "cover_margin": cover_margin, "patches": patches, "f": f, "iou": iou}


def measure(args: argparse.Namespace) -> dict[str, Any]:
    """All curves of one model on one set, and what made them."""
    run = Measurement(args.data, args.set, args.model)
    ways = {"spread": SEEN, "ranked": 1.0}
    curves = {
        name: {way: run.curve(lambda scene, name=name, seen=seen: scene.select(name, SHARES, seen)) for way, seen in ways.items()}
        for name in SIGNALS
    }
    shared = {name: {"spread": run.curve(lambda scene, name=name: scene.among_all[name])} for name in AMONG_ALL}
    patches = sum(scene.patches for scene in run.scenes)
    spaced = [run.spaced(*numbers) for numbers in SPACED] if args.spaced else []
    for point in spaced:
        share = min(1.0, point["patches"] / patches)
        point["selected"] = run.curve(lambda scene, share=share: scene.select(CHOSEN, [share]), [share])[0]
    model = named_models().get(args.model, Path(args.model))
    return {
        "set": args.set,
        "model": {"file": model.name, "sha256": sha256_of(model)[:16]},
        "images": len(run.scenes), "pairs": len(run.before), "patches": patches,
        "before": dict(zip(("f", "iou"), run.before.mean(axis=0).tolist(), strict=True)),
        "curves": {**curves, **shared, "random": {"ranked": run.random_curve()}},
        "spaced": spaced,
        "seconds": run.seconds,
        "machine": {"processor": processor(), "threads": 1},
        "versions": versions_of(PACKAGES),
        "date": time.strftime("%Y-%m-%d"),
    }  # fmt: skip


def markdown(report: dict[str, Any]) -> str:
    """Shares of the whole gain, in percent."""
    whole = report["curves"][CHOSEN]["spread"][-1]
    parts = SHARES[:-1]
    head = ["signal", *(f"{share:.0%} of the patches" for share in parts), "IoU, 50%", "ranked only, 50%"]
    rows = [_row(name, ways, whole) for name, ways in report["curves"].items()]
    seconds = report["seconds"]
    costs = ", ".join(f"{name} {seconds[key] / seconds['forward']:.2%}" for name, key in (("edge", "select"), ("32 px pass", "32 px pass")))
    before, half = report["before"], SHARES.index(0.5)
    text = (
        f"{report['set']}, {report['model']['file']} (sha256 {report['model']['sha256']}): {report['pairs']} matched pairs in "
        f"{report['images']} images, {report['patches']} patches; before: F@2px {100 * before['f']:.2f}, IoU {100 * before['iou']:.2f}; "
        f"all patches: {100 * whole['f']:+.2f} and {100 * whole['iou']:+.2f}. Percent of that F@2px gain (one column: of the IoU gain). "
        f"Half the patches by `{CHOSEN}`: {100 * report['curves'][CHOSEN]['spread'][half]['f']:+.2f} F@2px. "
        f"Cost of choosing, of the network's time for all patches: {costs}."
    )
    table = "\n".join(f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(head), *rows))
    return "\n\n".join([text, table, *([_spaced(report, whole)] if report["spaced"] else [])]) + "\n"


def _row(name: str, ways: dict[str, Any], whole: dict[str, float]) -> list[str]:
    half, best = SHARES.index(0.5), ways.get("spread") or ways["ranked"]
    cells = [name, *(_percent(point["f"], whole["f"]) for point in best[:-1]), _percent(best[half]["iou"], whole["iou"])]
    cells.append(_percent(ways["ranked"][half]["f"], whole["f"]) if "ranked" in ways else "")
    return [f"**{cell}**" for cell in cells] if name == CHOSEN else cells


def _spaced(report: dict[str, Any], whole: dict[str, float]) -> str:
    """Larger gaps beside as many selected patches."""
    head = ["patches farther apart", "share of patches", "F@2px gain kept", f"as many by `{CHOSEN}`"]
    rows = [
        [f"nms_iou {point['nms_iou']:g}, cover_margin {point['cover_margin']}", _percent(point["patches"], report["patches"]),
         _percent(point["f"], whole["f"]), _percent(point["selected"]["f"], whole["f"])]
        for point in report["spaced"]
    ]  # fmt: skip
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(head), *rows))


def _percent(part: float, whole: float) -> str:
    return f"{100 * part / whole:.1f}"


def plot(report: dict[str, Any], path: Path) -> None:
    """Share of the F gain against share of the patches, one line per signal."""
    pyplot = import_pyplot()
    figure, axes = pyplot.subplots(figsize=(6.4, 4.6), layout="constrained")
    whole = report["curves"][CHOSEN]["spread"][-1]["f"]
    for name, ways in report["curves"].items():
        if name in AMONG_ALL:  # its shares are those of all detections
            continue
        points = ways.get("spread") or ways["ranked"]
        style = {CHOSEN: ("black", "-", 2.4), "random": ("grey", ":", 1.6), "oracle": ("grey", "--", 1.6)}.get(name, (None, "-", 1.1))
        x, y = [0, *(point["share"] for point in points)], [0, *(100 * point["f"] / whole for point in points)]
        axes.plot([100 * share for share in x], y, label=name, color=style[0], linestyle=style[1], linewidth=style[2], marker=".")
    if report["spaced"]:
        x, y = ([100 * point[key] / all_of for point in report["spaced"]] for key, all_of in (("patches", report["patches"]), ("f", whole)))
        axes.plot(x, y, "x", color="black", label="patches farther apart")
    axes.set(xlabel="patches refined, % of an image's", ylabel="F@2px gain, % of that of all patches", title=report["set"])
    axes.grid(alpha=0.25, linewidth=0.6)
    axes.legend(frameon=False, fontsize=8)
    save_png(figure, path)
    pyplot.close(figure)


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("set", choices=[*SETS, *HELD_OUT])
    parser.add_argument("--model", default="starter", help="model name or .onnx file (default: %(default)s)")
    parser.add_argument("--spaced", action="store_true", help="compare with patches farther apart")
    parser.add_argument("--out", type=Path, metavar="JSON", help="write the numbers there and the table beside it (.md)")
    parser.add_argument("--plot", type=Path, metavar="PNG")
    args = parser.parse_args(argv)
    cv2.setNumThreads(1)
    report = measure(args)
    print(markdown(report), end="")
    if args.out:
        write_json(args.out, report, indent=1)
        with atomic_open(args.out.with_suffix(".md")) as file:
            file.write(markdown(report))
    if args.plot:
        plot(report, args.plot)


if __name__ == "__main__":
    main()
