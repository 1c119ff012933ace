"""Put the figures of docs/results/ into README.md and docs/, between their markers, so that none is typed by hand.

    python -m benchmarks.tables.readme_tables

A marker ``<!-- table:NAME -->`` is followed by the table up to ``<!-- end -->``. The table of a settled study, whose script
is gone, has no marker and stands on its page alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import fields
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.measuring import RESULTS, ROOT, Timing, made_on, markdown_table, published, report_table
from benchmarks.studies import sources as sources_study
from benchmarks.tables import quality_tables
from bpr import limits
from bpr.backends.folders import named_models
from bpr.backends.gates import record_beside
from bpr.errors import BPRError
from bpr.geometry.options import LARGEST_WINDOW, RefineOptions, command_options
from bpr.io.files import atomic_open, read_json

SUITES = ("geometry", "io", "forward", "refine", "memory", "eval", "imports")
"""Of tools/benchmark.py."""
KINDS = ("upper_bound", "gains", "failures", "timing", "refiners")
SCRIPTS = ("schemes", "keep", "models", "capacity", "scheduling", "service", "ledger", "image_costs", "calibration", "raster", "web")
"""Tables that a script writes beside its numbers."""
NOT_YET = "not measured yet"
PAPERS_NETWORK = "hrnet-w18s"
"""What the target of backend_speed.py is for."""


def written(name: str) -> str:
    """A table that a command wrote beside its numbers."""
    return (RESULTS / f"{name}.md").read_text(encoding="utf-8").strip()


def missed_targets() -> str:
    """The ratios of all suites that missed their target, and the best backend of the paper's network if it did."""
    missed = []
    for suite in SUITES:
        ratios = [ratio for ratio in published(f"benchmark_{suite}")["ratios"] if ratio["target"] is not None]
        missed += [(suite, r["name"], r["value"], r["target"]) for r in ratios if r["value"] < r["target"]]
    backends = published("backend_speed")
    best = next(one["best_ratio"] for one in backends["models"] if one["model"] == PAPERS_NETWORK)
    if best < backends["target"]:
        missed.append(("backend_speed", f"{PAPERS_NETWORK}, best backend within its gate", best, backends["target"]))
    rows = [[f"`{suite}`", name, f"{value:.3g}", f"{target:.3g}"] for suite, name, value, target in missed]
    return markdown_table(["suite", "ratio", "reached", "target"], rows, left=2)


def refine_options() -> str:
    """One row per option of refining: its name in Python and in ``bpr refine``, its default, and its help text."""
    offered = {option.name for option in command_options()}
    rows = []
    for option in fields(RefineOptions):
        command = f"`--{option.name}`" if option.name in offered else ""
        rows.append([f"`{option.name}`", command, f"`{option.default}`", option.metadata["help"]])
    return markdown_table(["option", "`bpr refine`", "default", "meaning"], rows, left=4)


def backend_speed() -> str:
    """Patches per second and ratios to the baseline of every network, slowest first; the best that passed its gate in bold."""
    found = published("backend_speed")
    note = f"{made_on(found)}, batch {found['batch']}, {found['repeats']} rounds."
    rows = []
    for one in found["models"]:
        if one["model"] == PAPERS_NETWORK:
            met = f"{one['best']}, {one['best_ratio']:.1f} times (target {found['target']}: {verdict(one['best_ratio'], found['target'])})"
            note += f" Best of `{PAPERS_NETWORK}` within its gate: {met}."
        for own in sorted(one["rows"], key=lambda own: own["ratio"]):
            rate = f"{own['patches_per_second']:.0f} ({own['low']:.0f} .. {own['high']:.0f})"
            gate = "passed" if own["passed"] else "not passed or not measured"
            cells = [one["model"], own["name"], rate, f"{own['ratio']:.2f}", gate]
            rows.append(bold(cells) if own["name"] == one["best"] else cells)
    head = ["model", "backend", "patches/s (quartiles)", "times the baseline", "gate"]
    return f"{note}\n\n{markdown_table(head, rows, left=2)}"


def presets() -> str:
    """One row per model, backend and preset, fastest first; those that none beats in bold."""
    found = published("presets")
    kept, target = 100 * found["fast_keeps"], 100 * found["target"]
    note = f"{made_on(found)}; {found['images']} images of {found['set']}."
    share = f"`fast` keeps {kept:.1f} % of the gain of `accurate` (target {target:.0f} %: {verdict(kept, target)})."
    slowest, rows = found["rows"][-1]["seconds"]["median"], []
    for row in found["rows"]:
        speed = f"{slowest / row['seconds']['median']:.2f}"
        cells = [row["name"], speed, f"{row['patches']:.0f}", f"{100 * row['gain']:+.2f}"]
        rows.append(bold(cells) if row["front"] else cells)
    table = markdown_table(["", "times the slowest's speed", "patches an image", "F@2px gained, points"], rows)
    return f"{note} {share} Bold: on the Pareto front.\n\n{table}"


def parity() -> str:
    """What every backend changed, model by model."""
    files = dict.fromkeys(record_beside(path) for path in named_models().values())
    entries = [entry for file in files for entry in read_json(file, "a record of parity.py").values()]
    return gates("backend", [(one["model"], name, row) for one in entries for name, row in one["backends"].items()])


def gates(kind: str, rows: Iterable[tuple[str, str, dict[str, Any]]]) -> str:
    """Models, each with a backend or an arithmetic, and the numbers of its gate."""
    cells = []
    for model, name, row in rows:
        equal, points = f"{100 * row['equal_masks']:.1f} % of {row['masks']}", f"{row['f2_points']:+.3f}"
        cells.append([model, name, equal, points, "passed" if row["passed"] else "**failed**"])
    return markdown_table(["model", kind, "equal masks", "F@2px against float32, points", "gate"], cells, left=2)


def gpu() -> str:
    """One row per network on a GPU, with the paper's three parts beside ours."""
    found = published("gpu")
    limits, rows = found["limits"], []
    for row in found["rows"]:
        rates = [f"{row[key]:,.0f}" for key in ("patches_per_second", "patches_per_second_eager", "images_per_second")]
        on_card = row.get("images_per_second_on_card")
        rates.append(NOT_YET if on_card is None else f"{on_card:,.0f}")
        shares = [f"{100 * row[key]:.1f} %" for key in ("of peak", "of bandwidth")]
        parts = [" + ".join(f"{row[key][part]:.0f}" for part in row["paper"]) for key in ("milliseconds", "paper")]
        rows.append([row["network"], *rates, *shares, *parts])
    product, copy = f"{limits['operations'] / 1e12:.0f} TFLOP/s", f"{limits['bytes'] / 1e12:.2f} TB/s"
    reached = f"{product} in a bfloat16 product and {copy} in a copy"
    parts = ["of the product", "of the copy", "milliseconds of the parts", "the paper's"]
    table = markdown_table(["network", "patches/s, one graph", "eager", "images/s", "cut on the card", *parts], rows)
    return f"{made_on(found)}, {found['device']} ({reached}).\n\n{table}"


def gpu_together() -> str:
    """Images per second by the number of processes on the GPU."""
    rates = {(row["processes"], row.get("on_card", False)): f"{row['images_per_second']:.0f}" for row in published("gpu")["together"]}
    counts = dict.fromkeys(count for count, _ in rates)
    rows = [[str(count), rates[count, False], rates.get((count, True), NOT_YET)] for count in counts]
    return markdown_table(["processes on the GPU", "images/s", "cut on the card"], rows, left=0)


def gpu_gates() -> str:
    """What torch on the GPU changed, model by model."""
    return gates("torch on the GPU", [(row["model"], row["arithmetic"], row) for row in published("gpu")["gates"]])


def log(name: str) -> str:
    """What ``bpr refine`` printed."""
    return f"```\n{(RESULTS / f'{name}.refine.txt').read_text().strip()}\n```"


def fuzz() -> str:
    """One row per reader: how long and how often it was fed, and what was found last."""
    found = published("fuzz")
    rows = [
        [name, str(row["seconds"]), f"{row['executions']:,}", row["finding"] or "none"]
        for name, row in found["readers"].items()
    ]
    table = markdown_table(["reader", "seconds", "executions", "open finding"], rows)
    return f"{found['date']}, {versions(found)}.\n\n{table}"


def release() -> str:
    """One row per environment that the wheel was tried in."""
    found, rows = published("release"), []
    for name, tried in found["environments"].items():
        if tried is None:
            rows.append([f"Python {name}", "", "", "not here"])
            continue
        failed = [f"**{step}: {outcome}**" for step, outcome in tried["steps"].items() if outcome != "passed"]
        numbers = " to ".join(f"{value:.3f}" for value in tried.get("demo_f", ()))
        label = f"Python {name.replace(name.partition(',')[0], tried['python'])}"
        outcome = "; ".join(failed) or f"{len(tried['steps'])} steps passed"
        rows.append([label, ", ".join(tried.get("versions", {}).values()), numbers, outcome])
    files = (f"`{one['name']}` ({one['bytes'] / 2**20:.1f} MiB, {one['files']} files)" for one in found["archives"])
    packages = "numpy, OpenCV, pycocotools, ONNX Runtime, rich"
    table = markdown_table(["empty environment", packages, "the demo's boundary F", "outcome"], rows, left=4)
    return f"{found['provenance']['date']}: {', '.join(files)}.\n\n{table}"


def chaos() -> str:
    """How often a run was killed, and what was lost in the end."""
    found = published("chaos")
    note = f"{found['date']}, seed {found['seed']}, {found['scenes']} painted scenes, {found['seconds']} s; {versions(found)}."
    kinds = ["kills, as one process", "as 2 ranks", "as 4 ranks"]
    head = [*kinds, "runs brought to an end", "records", "lost", "twice", "equal files"]
    cells = [*found["kills"].values(), *(found[name] for name in ("runs", "records", "lost", "duplicated"))]
    row = [*map(str, cells), f"{found['equal']} of {found['runs']}"]
    return f"{note}\n\n{markdown_table(head, [row], left=0)}"


def ranks() -> str:
    """What a second rank gains and what a journal costs."""
    found = published("ranks")
    spent = {name: Timing.of(seconds) for name, seconds in found["seconds"].items()}
    one, two, without, kept = (timing.median for timing in spent.values())
    rows = [[name, f"{t.median:.2f}", f"{t.low:.2f} .. {t.high:.2f}", str(t.repeats)] for name, t in spent.items()]
    note = f"{made_on(found)}, Python {found['provenance']['python']}."
    gain = f"Two ranks are {one / two:.2f} times as fast as one"
    cost = f"keeping a journal costs {100 * (kept / without - 1):+.1f} % (target: under 2 %)"
    return f"{note}\n\n{markdown_table(['', 'seconds', 'quartiles', 'runs'], rows)}\n\n{gain}; {cost}."


def two_hosts(part: str) -> str:
    """What happened, second by second."""
    found = published("two_hosts")
    return "\n".join([f"{found['date']}; {versions(found)}.", "", "```", *found[part]["log"], "```"])


def versions(found: dict[str, Any]) -> str:
    return ", ".join(f"{name} {version}" for name, version in found["versions"].items() if version)


def verdict(value: float, target: float) -> str:
    return "met" if value >= target else "**missed**"


def bold(cells: Iterable[str]) -> list[str]:
    return [f"**{cell}**" for cell in cells]


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
    return markdown_table(["at most", ""], [[what, f"{value:,}"] for what, value in named])


SETS = {"davis": "davis_val", "coco": "coco_val2017"}
TABLES = {
    **{name: partial(written, name) for name in SCRIPTS},
    "sources": lambda: sources_study.table(published("sources/starter")),
    "sources_free": lambda: sources_study.table(published("sources/starter-free")),
    "headline": lambda: quality_tables.headline("starter"),
    "quality": quality_tables.quality,
    "costs": quality_tables.costs,
    **{f"benchmark_{suite}": lambda suite=suite: report_table(published(f"benchmark_{suite}")) for suite in SUITES},
    "backend_speed": backend_speed,
    "gpu": gpu,
    "gpu_together": gpu_together,
    "gpu_gates": gpu_gates,
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
    "crisp_refiners": partial(written, "crisp_tenth.refiners"),
    "nuclei": lambda: quality_tables.nuclei("starter"),
    "coco_precision": lambda: quality_tables.precision("coco_val2017"),
    **{f"{short}_metrics": partial(quality_tables.metrics, name) for short, name in SETS.items()},
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
