"""Run one benchmark suite (benchmarks/README.md): ``python tools/benchmark.py SUITE [--out FILE.json]``."""

from __future__ import annotations

import argparse
import importlib
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))  # benchmarks/ is part of the checkout, not of the package

from benchmarks.measuring import report_table  # noqa: E402
from bpr.io.files import write_json  # noqa: E402

SUITES = {
    "geometry": "cut and put back in memory, against full frames",
    "io": "images, results files, run lengths",
    "forward": "the network alone against all of refining, for every model and backend",
    "refine": "files to files, against the old procedure",
    "memory": "peak memory against the number of images",
    "eval": "bpr eval against pycocotools' AP alone",
    "imports": "importing bpr, beyond numpy and cv2",
}


def main() -> int:
    epilog = "\n".join(["suites:", *(f"  {name:10} {what}" for name, what in SUITES.items())])
    layout = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, epilog=epilog, formatter_class=layout, allow_abbrev=False)
    parser.add_argument("suite", choices=SUITES)
    parser.add_argument("--out", help="report to write (default: docs/results/benchmark_SUITE.json of this checkout)")
    args = parser.parse_args()
    report = importlib.import_module(f"benchmarks.suites.{args.suite}").measure()
    write_json(args.out or ROOT / f"docs/results/benchmark_{args.suite}.json", report, indent=1)
    print(report_table(report))
    return 0


if __name__ == "__main__":
    sys.exit(main())
