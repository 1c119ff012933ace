"""How benchmarks measure and what they write; benchmarks/README.md describes the contract of the suites."""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from bpr.cli.options import versions_of
from bpr.io.files import atomic_open, read_json, write_json

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "docs" / "results"
ASSETS = ROOT / "docs" / "assets"
PACKAGES = ("bpr", "numpy", "opencv-python-headless", "pycocotools", "onnxruntime", "openvino", "numba", "torch")
RUN_BPR = """
import sys
from bpr.cli.main import main
if main(sys.argv[1:]): sys.exit(1)
"""
"""A program for :func:`program_costs` whose words are those of ``bpr``."""
ONE_THREAD = {"OMP_NUM_THREADS": "1"}
COSTS = """
import json, resource
used = resource.getrusage(resource.RUSAGE_SELF)
print(json.dumps({"processor_seconds": used.ru_utime + used.ru_stime, "peak_mib": used.ru_maxrss / 1024}))
"""
T = TypeVar("T")


@dataclass(frozen=True)
class Timing:
    """Seconds per unit of work: median and quartiles."""

    median: float
    low: float
    high: float
    repeats: int

    @classmethod
    def of(cls, seconds: Sequence[float], per: float = 1) -> Timing:
        """The timing of several runs, each of which did ``per`` units of work."""
        low, median, high = (float(value) for value in np.percentile(np.asarray(seconds) / per, [25, 50, 75]))
        return cls(median, low, high, len(seconds))


@dataclass(frozen=True)
class Ratio:
    """A speed-up, and the target it should reach, if there is one."""

    name: str
    value: float
    target: float | None = None


def suite_report(
    suite: str, rows: list[dict[str, Any]], ratios: Sequence[Ratio], settings: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """What a suite measured, in the form that benchmarks/README.md describes: rows of :func:`row`, and ratios between them."""
    head = {"schema": 1, "suite": suite, "command": f"python tools/benchmark.py {suite}", "settings": dict(settings or {})}
    return {**head, "provenance": provenance(), "rows": rows, "ratios": [asdict(ratio) for ratio in ratios]}


def row(name: str, seconds: Timing, **columns: Any) -> dict[str, Any]:
    return {"name": name, "seconds": asdict(seconds), **columns}


def in_turn(
    sides: Mapping[str, Callable[[], object]], repeats: int, clock: Callable[[], float] = time.perf_counter
) -> dict[str, list[float]]:
    """Seconds of every side: one run each to warm up, then ``repeats`` rounds in which the sides take turns.

    >>> sorted(in_turn({"a": lambda: None, "b": lambda: None}, 3))
    ['a', 'b']
    """
    spent: dict[str, list[float]] = {name: [] for name in sides}
    for function in sides.values():
        function()
    for _ in range(repeats):
        for name, function in sides.items():
            spent[name].append(seconds_of(function, clock))
    return spent


def seconds_of(function: Callable[[], object], clock: Callable[[], float] = time.perf_counter) -> float:
    start = clock()
    function()
    return clock() - start


def program_costs(code: str, *words: str | Path | int, environment: Mapping[str, str] | None = None) -> tuple[list[str], dict[str, float]]:
    """The lines that a Python program of its own prints, and its ``processor_seconds`` and ``peak_mib``.

    Raises:
        subprocess.CalledProcessError: it failed.
    """
    command = [sys.executable, "-c", code + COSTS, *map(str, words)]
    environment = {**os.environ, **(environment or {})}
    *lines, last = subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout.splitlines()
    return lines, json.loads(last)


def in_own_process(function: Callable[..., T], *arguments: Any) -> T:
    """What a function returns in a new process, whose memory is its own."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        return process.submit(function, *arguments).result()


def peak_mebibytes() -> float | None:
    """The peak memory of this process so far; None where the system does not tell."""
    status = Path("/proc/self/status")
    if not status.is_file():
        return None
    return next(int(line.split()[1]) for line in status.read_text().splitlines() if line.startswith("VmHWM")) / 1024


def provenance(packages: Sequence[str] = PACKAGES) -> dict[str, Any]:
    """The date, commit, machine and versions that a measurement depends on."""
    git = ["git", "rev-parse", "--short", "HEAD"]
    commit = subprocess.run(git, capture_output=True, text=True, cwd=ROOT, check=False).stdout.strip() or None
    machine = {"processor": processor(), "cores": os.cpu_count(), "python": platform.python_version()}
    return {"date": time.strftime("%Y-%m-%d"), "commit": commit, **machine, "versions": versions_of(packages)}


def dated_versions(packages: Sequence[str] = PACKAGES) -> dict[str, Any]:
    """The date and the versions, for results that do not depend on the machine."""
    return {"date": time.strftime("%Y-%m-%d"), "versions": versions_of(packages)}


def processor() -> str:
    info = Path("/proc/cpuinfo")
    named = re.search(r"model name\s*: (.+)", info.read_text()) if info.is_file() else None
    return named[1] if named else platform.processor()


def made_on(report: Mapping[str, Any]) -> str:
    """The day and the machine of a report."""
    origin = report["provenance"]
    return f"{origin['date']}, {origin['cores']} cores of {origin['processor']}"


def script_parser(doc: str | None, out: Path | None = None) -> argparse.ArgumentParser:
    """A parser of a script's arguments, with the script's docstring as help and ``--out`` for its JSON."""
    layout = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=doc, formatter_class=layout, allow_abbrev=False)
    if out is not None:
        parser.add_argument("--out", type=Path, default=out, help="the numbers as JSON (default: %(default)s)")
    return parser


def published(name: str) -> Any:
    """The numbers of docs/results/NAME.json, which a script of benchmarks/ or tests/ or a command of ``bpr`` wrote."""
    return read_json(RESULTS / f"{name}.json", "numbers of a benchmark")


def earlier_report(out: Path, identity: Mapping[str, Any]) -> dict[str, Any]:
    """The report of an earlier run that measured the same, so that this run can add to it; else an empty one."""
    found: dict[str, Any] = read_json(out, "a report of this script") if out.is_file() else {}
    return found if all(found.get(key) == value for key, value in identity.items()) else {}


def write_report(out: Path, report: Mapping[str, Any], markdown: str | None = None) -> None:
    """Write the numbers as JSON to ``out``, and their table beside it with the suffix .md; print the table."""
    write_json(out, report, indent=1)
    if markdown is not None:
        with atomic_open(out.with_suffix(".md")) as file:
            file.write(markdown)
        print(markdown, end="")


def markdown_table(head: Sequence[str], rows: Iterable[Sequence[str]], left: int = 1) -> str:
    """A Markdown table whose first ``left`` columns are aligned left, the others right.

    >>> print(markdown_table(["model", "F"], [["starter", "7.0"]]))
    | model | F |
    |---|---:|
    | starter | 7.0 |
    """
    rule = "|" + "---|" * left + "---:|" * (len(head) - left)
    return "\n".join([f"| {' | '.join(head)} |", rule, *(f"| {' | '.join(cells)} |" for cells in rows)])


def report_table(report: dict[str, Any]) -> str:
    """The report as Markdown: every row, and every ratio with its target, met or missed."""
    columns = [key for key in (report["rows"][0] if report["rows"] else {}) if key not in ("name", "seconds")]
    rows = []
    for one in report["rows"]:
        timing = Timing(**one["seconds"])
        times = [f"{1000 * timing.median:.1f}", f"{1000 * timing.low:.1f} .. {1000 * timing.high:.1f}"]
        values = [f"{one[key]:.4g}" if isinstance(one[key], float) else str(one[key]) for key in columns]
        rows.append([one["name"], *times, str(timing.repeats), *values])
    ratios = []
    for ratio in report["ratios"]:
        value, target = ratio["value"], ratio["target"]
        met = "met" if target is None or value >= target else "**missed**"
        reached = f"{value:.2f} times" if target is None else f"{value:.3g} times (target {target:.3g}: {met})"
        ratios.append(f"- {ratio['name']}: {reached}")
    note = f"`{report['command']}`, {made_on(report)}, Python {report['provenance']['python']}."
    table = markdown_table(["", "milliseconds", "quartiles", "runs", *columns], rows)
    return "\n".join([note, "", table, "", *ratios])
