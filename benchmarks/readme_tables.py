"""Put the figures of docs/results/ into README.md, CONTRIBUTING.md and docs/, between their markers, so that none is typed by hand.

    python benchmarks/readme_tables.py

A marker ``<!-- table:NAME -->`` is followed by the table up to ``<!-- end -->``.
"""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path
from typing import Any

import gpu_tables
import held_out_tables
from measuring import Timing, table

from bpr.errors import BPRError
from bpr.formats import limits
from bpr.formats.files import atomic_open, read_json
from bpr.geometry.scheme import LARGEST_NUMBER

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "docs" / "results"
CHANGES = ("iou", "boundary_iou", "boundary_f")
AP_ROWS = ("AP", "AP50", "AP75", "AP_S", "AP_M", "AP_L")
PAIRED = {"IoU": "IoU", "boundary IoU": "BoundaryIoU@0.02", "F@2px": "F@2px"}
PRECISE = {**{name: f"{name}/COCO" for name in ("AP", "AP_S", "AP_M", "AP_L")}, "boundary AP": "BoundaryAP@0.02/COCO"}
SIZES = ("_S", "_M", "_L")
SUITES = ("geometry", "io", "forward", "executors", "refine", "memory", "eval", "imports")
"""Of tools/benchmark.py."""
KINDS = ("upper_bound", "gains", "failures", "timing")


def refiners(name: str) -> str:
    """One row per refiner on the same matched pairs; of the constant steps only the best."""
    report = read_json(RESULTS / f"{name}.refiners.json", "a table of classical_refiners.py")
    before = " / ".join(f"{100 * report['before'][key]:.1f}" for key in CHANGES)
    head = "| refiner | IoU | boundary IoU | F@2px | improved | harmed | harmed > 1 point |\n|---|---|---|---|---|---|---|"
    rows = [row for row in report["methods"] if not row["name"].startswith("constant step")]
    lines = [f"{report['pairs']} matched pairs; before: {before}. Changes in points, 95 % interval of F.", "", head]
    return "\n".join(lines + [_refiner_row(row) for row in sorted(rows, key=lambda row: _change(row, "boundary_f"))])


def _refiner_row(row: dict[str, Any]) -> str:
    name = row["name"]
    ours = name.startswith("refined: ")
    f, shares = row["comparison"]["changes"]["boundary_f"], row["comparison"]["shares"]
    interval = f" ({100 * f['low']:+.1f} .. {100 * f['high']:+.1f})"
    changes = [f"{_change(row, key):+.2f}" for key in CHANGES]
    parts = [f"{100 * shares[key]:.0f} %" for key in ("improved", "harmed", "harmed_clearly")]
    cells = ["BPR starter" if ours else name, *changes[:2], changes[2] + interval, *parts]
    return "| " + " | ".join(f"**{cell}**" if ours else cell for cell in cells) + " |"


def _change(row: dict[str, Any], key: str) -> float:
    return 100 * row["comparison"]["changes"][key]["mean"]


def precision(name: str) -> str:
    """COCO mask AP before and after, side by side."""
    rows = read_json(RESULTS / f"{name}.eval.json", "a summary of bpr eval")["rows"]
    head = f"| mask AP | {' | '.join(AP_ROWS)} |\n|---|{'---|' * len(AP_ROWS)}"
    sides = (("before", "before"), ("refined", "value"))
    lines = [f"| {label} | " + " | ".join(f"{100 * rows[f'{ap}/COCO'][key]:.2f}" for ap in AP_ROWS) + " |" for label, key in sides]
    return "\n".join([head, *lines])


def metrics(name: str) -> str:
    """Every number before and after, with its interval; sizes of AP are in the table of AP."""
    rows = read_json(RESULTS / f"{name}.metrics.json", "a summary of bpr eval")["rows"]
    head = "| metric | before | refined | change | 95 % interval |\n|---|---:|---:|---:|---:|"
    lines = [_metric_row(key, row) for key, row in rows.items() if not key.partition("@")[0].partition("/")[0].endswith(SIZES)]
    return "\n".join([head, *lines])


def quality(folder: str, precise: bool) -> str:
    """What was given, then one row per measured model of a folder: changes in points on both validation splits."""
    files = sorted((RESULTS / folder).glob("*.json"), reverse=True)
    models = sorted((read_json(path, "numbers of quality.py") for path in files), key=lambda model: model.get("order", 0))
    models = [model for model in models if not precise or f"{AP_ROWS[0]}/COCO" in model["coco_val2017"]["rows"]]
    if not models:
        raise BPRError(f"docs/results/{folder}: expected numbers of quality.py, got none")
    head = ["model" if precise else "trained with"]
    head += [f"{split} {name}" for split in ("DAVIS", "COCO") for name in (*PAIRED, "harmed > 1 point")]
    head += PRECISE if precise else []
    rows = [_coarse_row(models[0], precise), *(_quality_row(model, precise) for model in models)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(head), *rows))


def _coarse_row(model: dict[str, Any], precise: bool) -> list[str]:
    """What all models were given, in percent."""
    cells = ["coarse masks, values"]
    for split in ("davis_val", "coco_val2017"):
        cells += [f"{100 * model[split]['rows'][f'{name}/matched']['before']:.2f}" for name in PAIRED.values()] + [""]
    return cells + [f"{100 * model['coco_val2017']['rows'][name]['before']:.2f}" for name in PRECISE.values() if precise]


def _quality_row(model: dict[str, Any], precise: bool) -> list[str]:
    cells = [model["change"]]
    for split in ("davis_val", "coco_val2017"):
        rows = model[split]["rows"]
        cells += [f"{100 * rows[f'{PAIRED[name]}/matched']['change']:+.2f}" for name in PAIRED]
        cells.append(f"{100 * model[split]['shares']['harmed_clearly']:.1f} %")
    if precise:
        rows = model["coco_val2017"]["rows"]
        cells += [f"{100 * rows[name]['value']:.2f} ({100 * rows[name]['change']:+.2f})" for name in PRECISE.values()]
    return cells


NETWORKS = {
    "starter": ("mobilenet-v2", 128),
    "starter-fast": ("mobilenet-v2", 64),
    "hrnet-w18s": ("hrnet-w18s", 128),
    "first_starter": ("hrnet-w18s", 96),
    "recipe": ("hrnet-w18s", 64),
    "image_only": ("hrnet-w18s", 64),
    "input_32": ("hrnet-w18s", 32),
    "input_128": ("hrnet-w18s", 128),
    "w16s": ("hrnet-w16s", 64),
    "mobilenet_v2": ("mobilenet-v2", 64),
}
"""By the file of its numbers: a model's network and the side of its input, which model_table.py measured with a mask."""


def costs(folder: str) -> str:
    """What the models of a folder take: one row each, from model_table.py and from their trainings."""
    measured = read_json(RESULTS / "models.json", "a table of model_table.py")["rows"].values()
    head = "| model | network | input px | parameters | GMACs a patch | patches/s, ONNX Runtime | processor seconds to train |"
    lines = [head, "|---|---|---:|---:|---:|---:|---:|"]
    for stem, (network, side) in NETWORKS.items():
        path = RESULTS / folder / f"{stem}.json"
        if path.is_file():
            row = next(row for row in measured if row["network"].startswith(f"bpr_{network}_") and row["input_side"] == side)
            rates = [f"{row['parameters'] / 1e6:.2f} M", f"{row['multiply_adds'] / 1e9:.2f}", f"{row['onnx']['patches_per_second']:.0f}"]
            model = read_json(path, "numbers of quality.py")
            lines.append(f"| {' | '.join([model['change'], network, str(side), *rates, _seconds(model)])} |")
    return "\n".join(lines)


def _seconds(model: dict[str, Any]) -> str:
    return f"{model['training_seconds']:.0f}" if "training_seconds" in model else "see its card"


def _metric_row(name: str, row: dict[str, Any]) -> str:
    low, high = (f"{100 * value:+.2f}" for value in row["interval"])
    return f"| {name} | {100 * row['before']:.2f} | {100 * row['value']:.2f} | {100 * row['change']:+.2f} | {low} .. {high} |"


def written(name: str) -> str:
    """A table that a command wrote beside its numbers."""
    return (RESULTS / f"{name}.md").read_text(encoding="utf-8").strip()


def benchmark(suite: str) -> str:
    """The report of a suite of tools/benchmark.py."""
    return table(read_json(RESULTS / f"benchmark_{suite}.json", f"a report of tools/benchmark.py {suite}"))


PAPERS_NETWORK = "hrnet-w18s"
"""What the target of backend_speed.py is for."""


def backend_speed() -> str:
    """Patches per second and ratios to the baseline of every network, slowest first; the best that passed its gate in bold."""
    report = read_json(RESULTS / "backend_speed.json", "a report of backend_speed.py")
    machine = report["machine"]
    said = f"{report['date']}, {machine['cores']} cores of {machine['processor']}, batch {report['batch']}, {report['repeats']} rounds."
    verdicts = [_verdict(one, report["target"]) for one in report["models"] if one["model"] == PAPERS_NETWORK]
    head = "| model | backend | patches/s (quartiles) | times the baseline | gate |\n|---|---|---:|---:|---|"
    lines = [_backend_row(one, own) for one in report["models"] for own in sorted(one["rows"], key=lambda own: own["ratio"])]
    return "\n".join([" ".join([said, *verdicts]), "", head, *lines])


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
    kept, where = report["fast_keeps"], report["provenance"]
    verdict = "met" if kept >= report["target"] else "**missed**"
    said = f"{where['date']}, {where['cores']} cores of {where['processor']}; {report['images']} images of {report['set']}."
    share = f"`fast` keeps {100 * kept:.1f} % of the gain of `accurate` (target {100 * report['target']:.0f} %: {verdict})."
    head = "| | times the slowest's speed | patches an image | F@2px gained, points |\n|---|---:|---:|---:|"
    slowest = report["rows"][-1]["seconds"]["median"]
    return "\n".join([f"{said} {share} Bold: on the Pareto front.", "", head, *(_preset_row(row, slowest) for row in report["rows"])])


def _preset_row(row: dict[str, Any], slowest: float) -> str:
    cells = [row["name"], f"{slowest / row['seconds']['median']:.2f}", f"{row['patches']:.0f}", f"{100 * row['gain']:+.2f}"]
    return "| " + " | ".join(f"**{cell}**" if row["front"] else cell for cell in cells) + " |"


def parity() -> str:
    """What every backend changed, model by model."""
    record = read_json(ROOT / "bpr" / "assets" / "parity.json", "a record of parity.py")
    head = "| model | backend | equal masks | F@2px against float32, points | gate |\n|---|---|---:|---:|---|"
    rows = [(entry["model"], name, found) for entry in record.values() for name, found in entry["backends"].items()]
    lines = [
        f"| {model} | {name} | {100 * found['equal_masks']:.1f} % of {found['masks']} | {found['f2_points']:+.3f} "
        f"| {'passed' if found['passed'] else '**failed**'} |"
        for model, name, found in rows
    ]
    return "\n".join([head, *lines])


def mmdetection() -> str:
    """One row per run of MMDetection's test loop."""
    runs = [read_json(path, "numbers of mmdetection.py") for path in sorted((RESULTS / "mmdetection").glob("*.json"))]
    head = "| detector | refiner | mask AP before | refined | box AP | images | seconds |\n|---|---|---:|---:|---:|---:|---:|"
    return "\n".join([head, *map(_loop_row, runs)])


def _loop_row(run: dict[str, Any]) -> str:
    measured = {name: f"{100 * value:.1f}" for name, value in run["measured"].items()}
    precisions = [measured[name] for name in ("before/coco/segm_mAP", "coco/segm_mAP", "coco/bbox_mAP")]
    return f"| {' | '.join([run['detector'], run['refiner'], *precisions, str(run['images']), format(run['seconds'], '.0f')])} |"


STEPS = {"index": "file", "one by one": "file", "write": "file", "refine": "refine"}
"""Of many_records.py, each with the process that did it."""
MOST_MIB = 2048


def many_records() -> str:
    """One row per file: what every step cost, and the peak of its process; below, how cost grew from the smallest to the largest."""
    report = read_json(RESULTS / "many_records.json", "a report of many_records.py")
    rows, where = report["rows"], report["provenance"]
    machine = f"{where['cores']} cores of {where['processor']}, Python {where['python']}"
    note = f"`{report['command']}`, {where['date']}, {machine}; processor time."
    head = f"| records | file | {' | '.join(STEPS)} | peak, file | peak, refine |\n|---:|---:|{'---:|' * len(STEPS)}---:|---:|"
    return "\n".join([note, "", head, *map(_records_row, rows), "", _growth(rows)])


def _records_row(row: dict[str, Any]) -> str:
    steps = [f"{_spent(row, step):.1f} s, {row['records'] / _spent(row, step):,.0f}/s" for step in STEPS]
    peaks = [f"{row[process]['peak_mib']:.0f} MiB" for process in ("file", "refine")]
    return f"| {' | '.join([format(row['records'], ','), format(row['bytes'] / 1e9, '.2f') + ' GB', *steps, *peaks])} |"


def _spent(row: dict[str, Any], step: str) -> float:
    seconds: float = row[STEPS[step]]["steps"][step]["processor_seconds"]
    return seconds


def _growth(rows: list[dict[str, Any]]) -> str:
    first, last = rows[0], rows[-1]
    grown = ", ".join(f"{step} {_spent(last, step) / _spent(first, step):.2f}" for step in STEPS)
    peak = max(last[process]["peak_mib"] for process in ("file", "refine"))
    verdict = "met" if peak <= MOST_MIB else "**missed**"
    return f"{last['records'] / first['records']:.2f} times the records take: {grown} times. At most {MOST_MIB} MiB: {verdict}."


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


def pages() -> str:
    """One row per page of the docs: how many of its blocks ran, and why others did not."""
    found = read_json(RESULTS / "pages.json", "a report of tests.docs.run_pages")["pages"]
    ran, failed = (sum(own[kind] for own in found.values()) for kind in ("ran", "failed"))
    left = sum(len(own["not_run"]) for own in found.values())
    head = "| page | ran | failed | seconds | date | not run |\n|---|---:|---:|---:|---|---|"
    lines = [f"| {name} | {' | '.join(_page_cells(own))} |" for name, own in sorted(found.items())]
    return "\n".join([f"{ran} blocks ran, {failed} failed, {left} not run.", "", head, *lines])


def _page_cells(own: dict[str, Any]) -> list[str]:
    return [*(str(own[key]) for key in ("ran", "failed", "seconds", "date")), " / ".join(own["not_run"])]


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
    said = f"{found['date']}, seed {found['seed']}, {found['scenes']} painted scenes, {found['seconds']} s; {versions}."
    head = "| kills, as one process | as 2 ranks | as 4 ranks | runs brought to an end | records | lost | twice | equal files |"
    cells = [*found["kills"].values(), *(found[name] for name in ("runs", "records", "lost", "duplicated"))]
    row = " | ".join(map(str, [*cells, f"{found['equal']} of {found['runs']}"]))
    return "\n".join([said, "", head, "|" + "---:|" * 8, f"| {row} |"])


def ranks() -> str:
    """What a second rank gains and what a journal costs."""
    report = read_json(RESULTS / "ranks.json", "a report of ranks.py")
    where, spent = report["provenance"], {name: Timing.of(seconds) for name, seconds in report["seconds"].items()}
    one, two, without, kept = spent.values()
    rows = [f"| {name} | {t.median:.2f} | {t.low:.2f} .. {t.high:.2f} | {t.repeats} |" for name, t in spent.items()]
    head = ["| | seconds | quartiles | runs |", "|---|---:|---:|---:|"]
    overhead = 100 * (kept.median / without.median - 1)
    said = f"{where['date']}, {where['cores']} cores of {where['processor']}, Python {where['python']}."
    gain = f"Two ranks are {one.median / two.median:.2f} times as fast as one"
    return "\n".join([said, "", *head, *rows, "", f"{gain}; keeping a journal costs {overhead:+.1f} % (target: under 2 %)."])


def two_hosts(part: str) -> str:
    """What happened, second by second."""
    report = read_json(RESULTS / "two_hosts.json", "a report of two_hosts.py")
    versions = ", ".join(f"{name} {version}" for name, version in report["versions"].items() if version)
    return "\n".join([f"{report['date']}; {versions}.", "", "```", *report[part]["log"], "```"])


def limit_rows() -> str:
    """The limits of bpr.formats.limits, with what each is of."""
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
        ("pixels of a network's window, passes, ...: any whole number of a patch scheme", LARGEST_NUMBER),
    )
    return "\n".join(["| at most | |", "|---|---:|", *(f"| {what} | {value:,} |" for what, value in named)])


SETS = {"davis": "davis_val", "coco": "coco_val2017"}
TABLES = {
    **{name: partial(written, name) for name in ("schemes", "models", "patch_store", "transfer", "capacity", "scheduling", "int8_ceiling")},
    "quality": lambda: quality("quality", precise=True),
    "small_models": lambda: quality("ablations", precise=True),
    "ablations": lambda: quality("ablations", precise=False),
    "costs": lambda: costs("quality"),
    "small_costs": lambda: costs("ablations"),
    **{f"benchmark_{suite}": partial(benchmark, suite) for suite in SUITES},
    "backend_speed": backend_speed,
    "averaging": held_out_tables.averaging,
    "held_out_schemes": held_out_tables.schemes,
    "gpu": gpu_tables.networks,
    "gpu_together": gpu_tables.together,
    "gpu_gates": gpu_tables.gates,
    "parity": parity,
    "presets": presets,
    "many_records": many_records,
    "mmdetection": mmdetection,
    "fuzz": fuzz,
    "pages": pages,
    "release": release,
    "chaos": chaos,
    "ranks": ranks,
    **{f"two_hosts_{part}": partial(two_hosts, part) for part in ("refining", "training")},
    "limits": limit_rows,
    "davis_log": lambda: log("davis_val"),
    "coco_log": lambda: log("coco_val2017"),
    "davis_refiners": lambda: refiners("davis_val"),
    "coco_refiners": lambda: refiners("coco_val2017"),
    "coco_precision": lambda: precision("coco_val2017"),
    **{f"{short}_metrics": partial(metrics, name) for short, name in SETS.items()},
    **{f"{short}_selection": partial(written, f"selection_{name}") for short, name in SETS.items()},
    "davis_selection_fast": partial(written, "selection_davis_val.starter-fast"),
    **{f"{short}_{kind}": partial(written, f"{name}.{kind}") for short, name in SETS.items() for kind in KINDS},
}


def main() -> None:
    for path in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))):
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
