"""What importing costs in a new process, beyond numpy and OpenCV: ``bpr``, all that refines, and the command's help."""

from __future__ import annotations

import subprocess
import sys
from functools import partial
from typing import Any

import numpy as np

from benchmarks.measuring import Ratio, Timing, in_turn, row, suite_report

REPEATS = 15
MOST_SECONDS = 0.15
BARE = "numpy, cv2"
OURS = {
    "and bpr": "import numpy, cv2, bpr",
    "and bpr.Refiner": "import numpy, cv2, bpr; bpr.Refiner",
    "and the parser of bpr": "import numpy, cv2; from bpr.cli.main import build_parser; build_parser()",
}
OTHERS = {BARE: "import numpy, cv2", "and onnxruntime, without bpr": "import numpy, cv2, onnxruntime"}


def measure() -> dict[str, Any]:
    commands = {name: [sys.executable, "-c", code] for name, code in {**OTHERS, **OURS}.items()}
    spent = in_turn({name: partial(subprocess.run, words, check=True) for name, words in commands.items()}, REPEATS)
    # Differences within a round: other work on the machine slows all sides of a round alike.
    beyond = {name: float(np.median(np.subtract(seconds, spent[BARE]))) for name, seconds in spent.items()}
    rows = [row(name, Timing.of(seconds), beyond=1000 * beyond[name]) for name, seconds in spent.items()]
    title = f"{MOST_SECONDS} s over what is beyond"
    ratios = [Ratio(f"{title}: {name}", MOST_SECONDS / max(beyond[name], 1e-3), 1) for name in OURS]
    settings = {"repeats": REPEATS, "beyond": f"milliseconds more than {BARE}, median over rounds"}
    return suite_report("imports", rows, ratios, settings)
