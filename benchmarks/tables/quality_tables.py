"""The tables of quality (quality.py, ablations.py, classical_refiners.py, bpr eval) and of the costs of models."""

from __future__ import annotations

from typing import Any

from benchmarks.measuring import RESULTS
from benchmarks.studies.classical_refiners import OURS, RIVALS
from bpr.errors import BPRError
from bpr.io.files import read_json

CHANGES = ("iou", "boundary_iou", "boundary_f")
AP_ROWS = ("AP", "AP50", "AP75", "AP_S", "AP_M", "AP_L")
PAIRED = {"IoU": "IoU", "boundary IoU": "BoundaryIoU@0.02", "F@2px": "F@2px"}
PRECISE = {**{name: f"{name}/COCO" for name in ("AP", "AP_S", "AP_M", "AP_L")}, "boundary AP": "BoundaryAP@0.02/COCO"}
SIZES = ("_S", "_M", "_L")


HEADLINE = (
    ("DAVIS val (video, exact ground truth): boundary F, 2 px", "davis_val", "F@2px/matched"),
    ("DAVIS val: mask IoU", "davis_val", "IoU/matched"),
    ("COCO val2017 (polygons): boundary F, 2 px", "coco_val2017", "F@2px/matched"),
    ("COCO val2017: mask AP", "coco_val2017", "AP/COCO"),
)


GOOD_MASKS = {"28x28 head": "masks of a 28x28 head", "truth": "the ground truth itself"}


ON_CELLS = ("truth", "28x28 head", "polygon", "1/4 resolution", "2 px large", "2 px small", "1/8 resolution", "3 px large", "3 px small")
"""The makers of the table of cells: good masks first."""


def headline(model: str) -> str:
    """Numbers of a model before and after, and how many masks it harmed: of a detector, and of masks that are good already."""
    found = read_json(RESULTS / "quality" / f"{model}.json", "numbers of quality.py")
    lines = ["| | coarse | refined | lost over a point of IoU |", "|---|---:|---:|---:|"]
    for label, split, name in HEADLINE:
        row, harmed = found[split]["rows"][name], found[split]["shares"]["harmed_clearly"]
        worse = f"{100 * harmed:.1f} % of masks" if name.startswith("F@") else ""
        lines.append(f"| {label} | {100 * row['before']:.1f} | **{100 * row['value']:.1f}** | {worse} |")
        if (split, name) == HEADLINE[0][1:]:
            lines.append(_best_rival(split))
    makers = read_json(RESULTS / "sources" / f"{model}.json", "numbers of sources.py")["sets"]["davis_val"]
    for maker, label in GOOD_MASKS.items():
        iou, harmed = makers[maker]["IoU"], makers[maker]["harmed_1"]
        numbers = f"{100 * iou['before']:.1f} | {100 * iou['after']:.1f} | {100 * harmed:.1f} % of masks"
        lines.append(f"| DAVIS val, {label}: mask IoU | {numbers} |")
    return "\n".join(lines)


def _best_rival(split: str) -> str:
    """The row of the method that gains most boundary F among those that need no network of ours."""
    report = read_json(RESULTS / f"{split}.refiners.json", "a table of classical_refiners.py")
    rivals = [row for row in report["methods"] if row["name"] in RIVALS]
    best, before = max(rivals, key=lambda row: _change(row, "boundary_f")), 100 * report["before"]["boundary_f"]
    worse = 100 * best["comparison"]["shares"]["harmed_clearly"]
    what = f"the same by {best['name']}, the best of {len(rivals)} other methods"
    return f"| {what} | {before:.1f} | {before + _change(best, 'boundary_f'):.1f} | {worse:.1f} % of masks |"


def nuclei(model: str) -> str:
    """Small cells: what a model makes of masks that are exact or nearly so, and of coarse ones."""
    makers = read_json(RESULTS / "sources" / f"{model}.json", "numbers of sources.py")["sets"]["nuclei"]
    images = max(row["images"] for row in makers.values())
    lines = [f"{images} images.", "", "| coarse masks | masks | IoU | F@1px | lost over 1 / 5 points of IoU |", "|---|---:|---:|---:|---:|"]
    for maker in (maker for maker in ON_CELLS if maker in makers):
        row = makers[maker]
        arrows = (f"{100 * row[name]['before']:.1f} -> {100 * row[name]['after']:.1f}" for name in ("IoU", "F@1px"))
        worse = f"{100 * row['harmed_1']:.1f} % / {100 * row['harmed_5']:.1f} %"
        lines.append(f"| {' | '.join([maker, str(row['masks']), *arrows, worse])} |")
    return "\n".join(lines)


def refiners(name: str) -> str:
    """One row per refiner on the same matched pairs, with what it costs; only the best of the constant steps."""
    report = read_json(RESULTS / f"{name}.refiners.json", "a table of classical_refiners.py")
    before = " / ".join(f"{100 * report['before'][key]:.1f}" for key in CHANGES)
    names = "refiner | IoU | boundary IoU | F@2px | improved | harmed | harmed > 1 point"
    names += " | ms a mask | memory, MiB | package | its MiB | licence"
    rows = [row for row in report["methods"] if not row["name"].startswith("constant step")]
    note = f"{report['pairs']} matched pairs; before: {before}. Changes in points, 95 % interval of F."
    if missing := [method for method in (*RIVALS, OURS.strip()) if not any(row["name"].startswith(method) for row in rows)]:
        note += f" Not measured on this set: {', '.join(missing)}."
    lines = [note, "", f"| {names} |", f"|{'---|' * 12}"]
    return "\n".join(lines + [_refiner_row(row) for row in sorted(rows, key=lambda row: _change(row, "boundary_f"))])


def _refiner_row(row: dict[str, Any]) -> str:
    f, shares = row["comparison"]["changes"]["boundary_f"], row["comparison"]["shares"]
    interval = f" ({100 * f['low']:+.1f} .. {100 * f['high']:+.1f})"
    changes = [f"{_change(row, key):+.2f}" for key in CHANGES]
    parts = [f"{100 * shares[key]:.0f} %" for key in ("improved", "harmed", "harmed_clearly")]
    memory, size = (f"{row[key]:.0f}" if row.get(key) is not None else "" for key in ("mebibytes", "size"))
    spent = f"{row['milliseconds']:.1f}" if memory else ""  # only what ran in a process of its own is comparable
    costs = [spent, memory, row.get("package", ""), size, row.get("licence", "")]
    cells = [row["name"], *changes[:2], changes[2] + interval, *parts, *costs]
    is_ours = row["name"].startswith(OURS)
    return "| " + " | ".join(f"**{cell}**" if is_ours and cell else cell for cell in cells) + " |"


def _change(row: dict[str, Any], key: str) -> float:
    return 100 * row["comparison"]["changes"][key]["mean"]


def precision(name: str) -> str:
    """COCO mask AP before and after, side by side."""
    rows = read_json(RESULTS / f"{name}.eval.json", "a summary of bpr eval")["rows"]
    head = f"| mask AP | {' | '.join(AP_ROWS)} |\n|---|{'---|' * len(AP_ROWS)}"
    sides = (("before", "before"), ("refined", "value"))
    values = {label: [f"{100 * rows[f'{ap}/COCO'][key]:.2f}" for ap in AP_ROWS] for label, key in sides}
    return "\n".join([head, *(f"| {label} | {' | '.join(cells)} |" for label, cells in values.items())])


def metrics(name: str) -> str:
    """Every metric before and after, with its interval; AP by size is in the table of AP."""
    rows = read_json(RESULTS / f"{name}.metrics.json", "a summary of bpr eval")["rows"]
    head = "| metric | before | refined | change | 95 % interval |\n|---|---:|---:|---:|---:|"
    kept = [key for key in rows if not key.partition("@")[0].partition("/")[0].endswith(SIZES)]
    lines = [_metric_row(key, rows[key]) for key in kept]
    return "\n".join([head, *lines])


def quality(folder: str, precise: bool) -> str:
    """The coarse masks, then one row per model of a folder: changes in points on both validation splits."""
    files = sorted((RESULTS / folder).glob("*.json"), reverse=True)
    models = [read_json(path, "numbers of quality.py") for path in files]
    models.sort(key=lambda model: model.get("order", 0))
    models = [model for model in models if not precise or f"{AP_ROWS[0]}/COCO" in model["coco_val2017"]["rows"]]
    if not models:
        raise BPRError(f"docs/results/{folder}: expected numbers of quality.py, got none")
    head = ["model" if precise else "trained with"]
    head += [f"{split} {name}" for split in ("DAVIS", "COCO") for name in (*PAIRED, "harmed > 1 point")]
    head += PRECISE if precise else []
    rows = [_coarse_row(models[0], precise), *(_quality_row(model, precise) for model in models)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(head), *rows))


def _coarse_row(model: dict[str, Any], precise: bool) -> list[str]:
    """The values of the coarse masks, in percent."""
    cells = ["coarse masks, values"]
    for split in ("davis_val", "coco_val2017"):
        rows = model[split]["rows"]
        cells += [f"{100 * rows[f'{name}/matched']['before']:.2f}" for name in PAIRED.values()] + [""]
    return cells + [f"{100 * rows[name]['before']:.2f}" for name in PRECISE.values() if precise]


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
    "starter": ("mobilenet-v2-detail", 128),
    "starter-fast": ("mobilenet-v2-detail", 64),
    "starter-0.2": ("mobilenet-v2", 128),
    "starter-fast-0.2": ("mobilenet-v2", 64),
    "hrnet-w18s": ("hrnet-w18s", 128),
    "recipe": ("hrnet-w18s", 64),
    "image_only": ("hrnet-w18s", 64),
    "input_32": ("hrnet-w18s", 32),
    "input_128": ("hrnet-w18s", 128),
    "w16s": ("hrnet-w16s", 64),
    "mobilenet_v2": ("mobilenet-v2", 64),
}
"""By the stem of a model's file in docs/results: its network and input side, which network_costs.py measured."""


def costs(folder: str) -> str:
    """The costs of the models of a folder, from network_costs.py and from their trainings."""
    measured = read_json(RESULTS / "models.json", "a table of network_costs.py")["rows"].values()
    head = "| model | network | input px | parameters | GMACs a patch | patches/s, ONNX Runtime | processor seconds to train |"
    lines = [head, "|---|---|---:|---:|---:|---:|---:|"]
    for stem, (network, side) in NETWORKS.items():
        path = RESULTS / folder / f"{stem}.json"
        if path.is_file():
            rows = (row for row in measured if row["network"].startswith(f"bpr_{network}_"))
            row = next(row for row in rows if row["input_side"] == side)
            size = [f"{row['parameters'] / 1e6:.2f} M", f"{row['multiply_adds'] / 1e9:.2f}"]
            rate, model = f"{row['onnx']['patches_per_second']:.0f}", read_json(path, "numbers of quality.py")
            seconds = f"{model['training_seconds']:.0f}" if "training_seconds" in model else "see its card"
            lines.append(f"| {' | '.join([model['change'], network, str(side), *size, rate, seconds])} |")
    return "\n".join(lines)


def _metric_row(name: str, row: dict[str, Any]) -> str:
    low, high = (f"{100 * value:+.2f}" for value in row["interval"])
    return f"| {name} | {100 * row['before']:.2f} | {100 * row['value']:.2f} | {100 * row['change']:+.2f} | {low} .. {high} |"
