"""What importing costs in a new process: numpy and OpenCV, then ``bpr``, all that refines, and the command's help."""

from __future__ import annotations

import subprocess
import sys
from functools import partial

import numpy as np

from benchmarks.measuring import Ratio, Report, Timing, in_turn, row

OURS = ("and bpr", "and bpr.Refiner", "and the parser of bpr")
REPEATS = 15
MOST_SECONDS = 0.15
BARE = "numpy, cv2"
SIDES = {
    BARE: "import numpy, cv2",
    "and bpr": "import numpy, cv2, bpr",
    "and bpr.Refiner": "import numpy, cv2, bpr; bpr.Refiner",
    "and the parser of bpr": "import numpy, cv2; from bpr.cli.main import build_parser; build_parser()",
    "and onnxruntime, without bpr": "import numpy, cv2, onnxruntime",
}


def measure() -> Report:
    sides = {name: partial(subprocess.run, [sys.executable, "-c", code], check=True) for name, code in SIDES.items()}
    spent = in_turn(sides, REPEATS)
    # Differences within a round: what else the machine does slows all sides of a round alike.
    beyond = {name: float(np.median(np.subtract(seconds, spent[BARE]))) for name, seconds in spent.items()}
    rows = [row(name, Timing.of(seconds), **{"beyond": 1000 * beyond[name]}) for name, seconds in spent.items()]
    ratios = [Ratio(f"{MOST_SECONDS} s over what is beyond: {name}", MOST_SECONDS / max(beyond[name], 1e-3), 1) for name in OURS]
    return Report("imports", rows, ratios, {"repeats": REPEATS, "beyond": f"milliseconds more than {BARE}, median over rounds"})
