"""Does the verdict know what it says? Predicted against true change of IoU, on sets that it was not fitted on.

    python -m benchmarks.studies.verdicts DATA MODEL [--sets NAME ...] [--images N]

Sets and makers are those of `sources.py`. For each set: the AUC of "taking all of the change would gain", and by tenths
of the prediction its mean beside the true mean, over the masks of all makers. Writes MODEL.json, and MODEL.png if
matplotlib is installed, to --out.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import bpr
from benchmarks.inputs import Split
from benchmarks.measuring import RESULTS, script_parser
from benchmarks.studies.sources import SETS, makers_of, opened, pairs_of
from bpr.backends import load_refiner, model_file
from bpr.io.files import sha256_of, write_json
from bpr.io.images import read_image
from bpr.refinement.batching import CutImage
from bpr.refinement.predictor import Instance
from bpr.refinement.refiner import Refiner
from bpr.training.verdict import Known, Samples, outcomes

TENTHS = 10


def samples_of(refiner: Refiner, split: Split, makers: Sequence[str], name: str) -> Samples:
    """All masks of all makers of a set, refined."""

    def cuts() -> Iterator[CutImage[Known]]:
        for maker in makers:
            for number, (image_id, pairs) in enumerate(pairs_of(split, maker).items()):
                instances = [Instance(pair.coarse) for pair in pairs]
                known = Known(maker, number, [pair.truth for pair in pairs])
                yield refiner.cut(read_image(split.images.path(image_id)), instances, known)

    return outcomes(refiner, cuts(), name)


def auc(scores: np.ndarray, positive: np.ndarray) -> float:
    """The probability that a positive has a higher score than a negative.

    >>> auc(np.array([0.1, 0.4, 0.3, 0.9]), np.array([False, False, True, True]))
    0.75
    """
    above = scores[positive][:, None] - scores[~positive][None]
    return float(((above > 0) + 0.5 * (above == 0)).mean())


def reliability(samples: Samples, refiner: Refiner) -> dict[str, Any]:
    """The numbers of one set."""
    assert refiner.predictor.verdict
    predicted = refiner.predictor.verdict.predict(samples.inputs)[0][:, 0]
    true, order = samples.gains[:, 0], np.argsort(predicted, kind="stable")
    tenths = np.array_split(order, TENTHS)
    rows = [{"masks": len(part), "predicted": float(predicted[part].mean()), "true": float(true[part].mean())} for part in tenths]
    return {"masks": len(true), "auc": auc(predicted, true > 0), "tenths": rows}


def draw(sets: dict[str, Any], path: Path) -> None:
    """Predicted against true change, a line per set."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5, 5), layout="constrained")
    axes = figure.subplots()
    for key, numbers in sets.items():
        predicted, true = ([row[name] for row in numbers["tenths"]] for name in ("predicted", "true"))
        axes.plot(predicted, true, "o-", label=f"{SETS[key].name}, AUC {numbers['auc']:.2f}")
    ends = axes.get_xlim()
    axes.plot(ends, ends, color="grey", linewidth=0.8)
    axes.set(xlabel="predicted change of IoU, points", ylabel="true change of IoU, points")
    axes.legend()
    figure.savefig(path, dpi=120)


def main(words: Sequence[str] | None = None) -> int:
    parser = script_parser(__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("model", help="the name of a model, or a .onnx file")
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS))
    parser.add_argument("--images", type=int, help="at most so many images of every set, evenly spread")
    parser.add_argument("--out", type=Path, default=RESULTS / "verdicts", help="folder (default: %(default)s)")
    args = parser.parse_args(words)
    refiner, sets = load_refiner(args.model, caution=0.0), {}
    for key in args.sets:
        source = SETS[key]
        samples = samples_of(refiner, opened(args.data, source, args.images), makers_of(source), key)
        sets[key] = numbers = reliability(samples, refiner)
        print(f"{source.name}: {numbers['masks']} masks, AUC {numbers['auc']:.3f}", flush=True)
        for row in numbers["tenths"]:
            print(f"    predicted {row['predicted']:+6.2f}   true {row['true']:+6.2f}   ({row['masks']} masks)", flush=True)
    identity = {"model": Path(args.model).stem, "sha256": sha256_of(model_file(args.model)), "images": args.images}
    result = {**identity, "date": time.strftime("%Y-%m-%d"), "version": bpr.__version__, "sets": sets}
    path = args.out / f"{Path(args.model).stem}.json"
    write_json(path, result, indent=1)
    try:
        draw(sets, path.with_suffix(".png"))
    except ImportError:
        print("no picture: matplotlib is not installed")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
