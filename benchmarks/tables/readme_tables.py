"""Put the figures of docs/results/ into README.md and docs/, between their markers, so that none is typed by hand.

    python -m benchmarks.tables.readme_tables

A marker ``<!-- table:NAME -->`` is followed by the table up to ``<!-- end -->``.
"""

from __future__ import annotations

import re
from dataclasses import fields
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.measuring import RESULTS, ROOT, Timing, report_table
from benchmarks.studies import harm as harm_study
from benchmarks.tables import gpu_tables, quality_tables
from bpr import limits
from bpr.backends.folders import named_models
from bpr.backends.gates import record_beside
from bpr.errors import BPRError
from bpr.geometry.options import LARGEST_WINDOW, RefineOptions, command_options
from bpr.io.files import atomic_open, read_json

SUITES = ("geometry", "io", "forward", "executors", "refine", "memory", "eval", "imports")
"""Of tools/benchmark.py."""
KINDS = ("upper_bound", "gains", "failures", "timing")
SCRIPTS = ("schemes", "models", "capacity", "scheduling", "service", "ledger", "beside_network", "image_costs", "protocols", "calibration")
"""Tables that a script writes beside its numbers."""
SETTLED = ("averaging", "held_out_schemes", "int8_ceiling", "many_records", "mmdetection", "patch_store", "transfer")
"""Tables of studies that are settled: their scripts are gone or write no table, their findings stay."""


def written(name: str) -> str:
    """A table that a command wrote beside its numbers."""
    return (RESULTS / f"{name}.md").read_text(encoding="utf-8").strip()


def benchmark(suite: str) -> str:
    """The report of a suite of tools/benchmark.py."""
    return report_table(read_json(RESULTS / f"benchmark_{suite}.json", f"a report of tools/benchmark.py {suite}"))


def missed_targets() -> str:
    """The ratios of all suites that missed their target, and the best backend of the paper's network if it did."""
    missed = []
    for suite in SUITES:
        report = read_json(RESULTS / f"benchmark_{suite}.json", f"a report of tools/benchmark.py {suite}")
        rows = [(ratio["name"], ratio["value"], ratio["target"]) for ratio in report["ratios"] if ratio["target"] is not None]
        missed += [(suite, *row) for row in rows if row[1] < row[2]]
    backends = read_json(RESULTS / "backend_speed.json", "a report of backend_speed.py")
    best = next(one["best_ratio"] for one in backends["models"] if one["model"] == PAPERS_NETWORK)
    if best < backends["target"]:
        missed.append(("backend_speed", f"{PAPERS_NETWORK}, best backend within its gate", best, backends["target"]))
    lines = [f"| `{suite}` | {name} | {value:.3g} | {target:.3g} |" for suite, name, value, target in missed]
    return "\n".join(["| suite | ratio | reached | target |", "|---|---|---:|---:|", *lines])


def refine_options() -> str:
    """One row per option of refining: its name in Python and in ``bpr refine``, its default, and its help text."""
    offered = {option.name for option in command_options()}
    rows = [
        f"| `{option.name}` | {f'`--{option.name}`' if option.name in offered else ''} | `{option.default}` "
        f"| {option.metadata['help']} |"
        for option in fields(RefineOptions)
    ]
    return "\n".join(["| option | `bpr refine` | default | meaning |", "|---|---|---|---|", *rows])


def harm() -> str:
    """One row per set and its makers."""
    files = sorted((RESULTS / "harm").glob("*.json"))
    return harm_study.table([read_json(path, "a report of harm.py") for path in files])


PAPERS_NETWORK = "hrnet-w18s"
"""What the target of backend_speed.py is for."""


def backend_speed() -> str:
    """Patches per second and ratios to the baseline of every network, slowest first; the best that passed its gate in bold."""
    report = read_json(RESULTS / "backend_speed.json", "a report of backend_speed.py")
    origin = report["provenance"]
    machine = f"{origin['date']}, {origin['cores']} cores of {origin['processor']}"
    note = f"{machine}, batch {report['batch']}, {report['repeats']} rounds."
    verdicts = [_verdict(one, report["target"]) for one in report["models"] if one["model"] == PAPERS_NETWORK]
    head = "| model | backend | patches/s (quartiles) | times the baseline | gate |\n|---|---|---:|---:|---|"
    lines = [_backend_row(one, own) for one in report["models"] for own in sorted(one["rows"], key=lambda own: own["ratio"])]
    return "\n".join([" ".join([note, *verdicts]), "", head, *lines])


def _verdict(one: dict[str, Any], target: float) -> str:
    found = "met" if one["best_ratio"] >= target else "**missed**"
    return f"Best of `{one['model']}` within its gate: {one['best']}, {one['best_ratio']:.1f} times (target {target}: {found})."


def _backend_row(one: dict[str, Any], own: dict[str, Any]) -> str:
    rate = f"{own['patches_per_second']:.0f} ({own['low']:.0f} .. {own['high']:.0f})"
    cells = [one["model"], own["name"], rate, f"{own['ratio']:.2f}", "passed" if own["passed"] else "not passed or not measured"]
    return "| " + " | ".join(f"**{cell}**" if own["name"] == one["best"] else cell for cell in cells) + " |"


def presets() -> str:
    """One row per model, backend and preset, fastest first; those that none beats in bold."""
    report = read_json(RESULTS / "presets.json", "a report of presets.py")
    kept, origin = report["fast_keeps"], report["provenance"]
    verdict = "met" if kept >= report["target"] else "**missed**"
    note = f"{origin['date']}, {origin['cores']} cores of {origin['processor']}; {report['images']} images of {report['set']}."
    share = f"`fast` keeps {100 * kept:.1f} % of the gain of `accurate` (target {100 * report['target']:.0f} %: {verdict})."
    head = "| | times the slowest's speed | patches an image | F@2px gained, points |\n|---|---:|---:|---:|"
    slowest = report["rows"][-1]["seconds"]["median"]
    return "\n".join([f"{note} {share} Bold: on the Pareto front.", "", head, *(_preset_row(row, slowest) for row in report["rows"])])


def _preset_row(row: dict[str, Any], slowest: float) -> str:
    cells = [row["name"], f"{slowest / row['seconds']['median']:.2f}", f"{row['patches']:.0f}", f"{100 * row['gain']:+.2f}"]
    return "| " + " | ".join(f"**{cell}**" if row["front"] else cell for cell in cells) + " |"


def parity() -> str:
    """What every backend changed, model by model."""
    files = dict.fromkeys(record_beside(path) for path in named_models().values())
    records = [read_json(file, "a record of parity.py") for file in files]
    head = "| model | backend | equal masks | F@2px against float32, points | gate |\n|---|---|---:|---:|---|"
    rows = [(entry["model"], name, found) for record in records for entry in record.values() for name, found in entry["backends"].items()]
    lines = [
        f"| {model} | {name} | {100 * found['equal_masks']:.1f} % of {found['masks']} | {found['f2_points']:+.3f} "
        f"| {'passed' if found['passed'] else '**failed**'} |"
        for model, name, found in rows
    ]
    return "\n".join([head, *lines])


def log(name: str) -> str:
    """What ``bpr refine`` printed."""
    return f"```\n{(RESULTS / f'{name}.refine.txt').read_text().strip()}\n```"


def fuzz() -> str:
    """One row per reader: how long and how often it was fed, and what was found last."""
    report = read_json(RESULTS / "fuzz.json", "a report of tests.fuzz.run")
    versions = ", ".join(f"{name} {version}" for name, version in report["versions"].items())
    head = "| reader | seconds | executions | open finding |\n|---|---:|---:|---|"
    found = report["readers"].items()
    rows = [f"| {name} | {row['seconds']} | {row['executions']:,} | {row['finding'] or 'none'} |" for name, row in found]
    return "\n".join([f"{report['date']}, {versions}.", "", head, *rows])


def release() -> str:
    """One row per environment that the wheel was tried in."""
    report = read_json(RESULTS / "release.json", "a report of tests.release.check")
    built = ", ".join(f"`{one['name']}` ({one['bytes'] / 2**20:.1f} MiB, {one['files']} files)" for one in report["archives"])
    head = "| empty environment | numpy, OpenCV, pycocotools, ONNX Runtime, rich | the demo's boundary F | outcome |\n|---|---|---|---|"
    rows = [_environment_row(name, found) for name, found in report["environments"].items()]
    return "\n".join([f"{report['provenance']['date']}: {built}.", "", head, *rows])


def _environment_row(name: str, found: dict[str, Any] | None) -> str:
    if found is None:
        return f"| Python {name} | | | not here |"
    failed = [f"**{step}: {outcome}**" for step, outcome in found["steps"].items() if outcome != "passed"]
    numbers = " to ".join(f"{value:.3f}" for value in found.get("demo_f", ()))
    label = f"Python {name.replace(name.partition(',')[0], found['python'])}"
    cells = [label, ", ".join(found.get("versions", {}).values()), numbers, "; ".join(failed) or f"{len(found['steps'])} steps passed"]
    return f"| {' | '.join(cells)} |"


def chaos() -> str:
    """How often a run was killed, and what was lost in the end."""
    found = read_json(RESULTS / "chaos.json", "a report of chaos.py")
    versions = ", ".join(f"{name} {version}" for name, version in found["versions"].items())
    note = f"{found['date']}, seed {found['seed']}, {found['scenes']} painted scenes, {found['seconds']} s; {versions}."
    head = "| kills, as one process | as 2 ranks | as 4 ranks | runs brought to an end | records | lost | twice | equal files |"
    cells = [*found["kills"].values(), *(found[name] for name in ("runs", "records", "lost", "duplicated"))]
    row = " | ".join(map(str, [*cells, f"{found['equal']} of {found['runs']}"]))
    return "\n".join([note, "", head, "|" + "---:|" * 8, f"| {row} |"])


def ranks() -> str:
    """What a second rank gains and what a journal costs."""
    report = read_json(RESULTS / "ranks.json", "a report of ranks.py")
    origin, spent = report["provenance"], {name: Timing.of(seconds) for name, seconds in report["seconds"].items()}
    one, two, without, kept = spent.values()
    rows = [f"| {name} | {t.median:.2f} | {t.low:.2f} .. {t.high:.2f} | {t.repeats} |" for name, t in spent.items()]
    head = ["| | seconds | quartiles | runs |", "|---|---:|---:|---:|"]
    overhead = 100 * (kept.median / without.median - 1)
    note = f"{origin['date']}, {origin['cores']} cores of {origin['processor']}, Python {origin['python']}."
    gain = f"Two ranks are {one.median / two.median:.2f} times as fast as one"
    return "\n".join([note, "", *head, *rows, "", f"{gain}; keeping a journal costs {overhead:+.1f} % (target: under 2 %)."])


def two_hosts(part: str) -> str:
    """What happened, second by second."""
    report = read_json(RESULTS / "two_hosts.json", "a report of two_hosts.py")
    versions = ", ".join(f"{name} {version}" for name, version in report["versions"].items() if version)
    return "\n".join([f"{report['date']}; {versions}.", "", "```", *report[part]["log"], "```"])


def limit_rows() -> str:
    """The limits of bpr.limits, with what each is of."""
    named = (
        ("pixels of an image or mask", limits.LARGEST_FRAME),
        ("pixels along one side, coordinates of a polygon", limits.LARGEST_SIDE),
        ("pixels of a larger image that a byte of its file may stand for", limits.DENSEST),
        ("pixels along all polygons of one mask", limits.LONGEST_OUTLINE),
        ("bytes of an image file", limits.LARGEST_FILE),
        ("bytes of a label file (Cityscapes, YOLO) of one image", limits.LARGEST_TEXT),
        ("characters of one line of it", limits.LONGEST_ROW),
        ("characters of a record, or of another value that is streamed, in JSON", limits.LARGEST_VALUE),
        ("lists and objects inside each other in JSON", limits.DEEPEST_JSON),
        ("classes of a data set", limits.MOST_CATEGORIES),
        ("pixels along one side of a network's window", LARGEST_WINDOW),
    )
    return "\n".join(["| at most | |", "|---|---:|", *(f"| {what} | {value:,} |" for what, value in named)])


SETS = {"davis": "davis_val", "coco": "coco_val2017"}
TABLES = {
    **{name: partial(written, name) for name in (*SCRIPTS, *SETTLED)},
    "sources": partial(written, "sources/starter"),
    "sources_free": partial(written, "sources/starter-free"),
    "headline": lambda: quality_tables.headline("starter"),
    "quality": lambda: quality_tables.quality("quality", precise=True),
    "small_models": lambda: quality_tables.quality("ablations", precise=True),
    "ablations": lambda: quality_tables.quality("ablations", precise=False),
    "costs": lambda: quality_tables.costs("quality"),
    "small_costs": lambda: quality_tables.costs("ablations"),
    **{f"benchmark_{suite}": partial(benchmark, suite) for suite in SUITES},
    "backend_speed": backend_speed,
    "gpu": gpu_tables.networks,
    "gpu_together": gpu_tables.together,
    "gpu_gates": gpu_tables.gates,
    "parity": parity,
    "presets": presets,
    "missed_targets": missed_targets,
    "refine_options": refine_options,
    "fuzz": fuzz,
    "release": release,
    "chaos": chaos,
    "ranks": ranks,
    **{f"two_hosts_{part}": partial(two_hosts, part) for part in ("refining", "training")},
    "limits": limit_rows,
    "davis_log": lambda: log("davis_val"),
    "coco_log": lambda: log("coco_val2017"),
    "davis_refiners": lambda: quality_tables.refiners("davis_val"),
    "coco_refiners": lambda: quality_tables.refiners("coco_val2017"),
    "crisp_refiners": lambda: quality_tables.refiners("crisp_tenth"),
    "nuclei": lambda: quality_tables.nuclei("starter"),
    "harm": harm,
    "coco_precision": lambda: quality_tables.precision("coco_val2017"),
    **{f"{short}_metrics": partial(quality_tables.metrics, name) for short, name in SETS.items()},
    **{f"{short}_selection": partial(written, f"selection_{name}") for short, name in SETS.items()},
    "davis_selection_fast": partial(written, "selection_davis_val.starter-fast"),
    **{f"{short}_{kind}": partial(written, f"{name}.{kind}") for short, name in SETS.items() for kind in KINDS},
}


def pages_with_tables() -> list[Path]:
    return [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), *sorted((ROOT / "docs" / "appendix").glob("*.md"))]


def main() -> None:
    for path in pages_with_tables():
        text = path.read_text(encoding="utf-8")
        for name in re.findall(r"<!-- table:([a-z]\w*) -->", text):
            try:
                block = f"<!-- table:{name} -->\n{TABLES[name]()}\n<!-- end -->"
            except (BPRError, FileNotFoundError) as error:
                print(f"{path.name}: {name} stays as it is: {error}")
                continue
            text = re.sub(rf"<!-- table:{name} -->.*?<!-- end -->", lambda _, block=block: block, text, flags=re.DOTALL)
        with atomic_open(path) as file:
            file.write(text)


if __name__ == "__main__":
    main()
