"""What importing costs in a new process: numpy and OpenCV, then ``bpr``, all that refines, and the command's help."""

from __future__ import annotations

import subprocess
import sys
from functools import partial

from benchmarks.measuring import Ratio, Report, Timing, in_turn, row

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
    timings = {name: Timing.of(spent) for name, spent in in_turn(sides, REPEATS).items()}
    beyond = {name: max(timing.median - timings[BARE].median, 1e-3) for name, timing in timings.items()}
    rows = [row(name, timing, **{"ms beyond numpy, cv2": 1000 * beyond[name] if name != BARE else 0.0}) for name, timing in timings.items()]
    ratios = [Ratio(f"{MOST_SECONDS} s against what bpr adds ({name})", MOST_SECONDS / beyond[name], 1) for name in list(SIDES)[1:4]]
    return Report("imports", rows, ratios, {"repeats": REPEATS})
