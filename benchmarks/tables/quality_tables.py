"""The tables of quality (quality.py, classical_refiners.py, bpr eval) and of the costs of models."""

from __future__ import annotations

from benchmarks.measuring import RESULTS, markdown_table, published
from benchmarks.studies.classical_refiners import RIVALS, gain

AP_ROWS = ("AP", "AP50", "AP75", "AP_S", "AP_M", "AP_L")
PAIRED = {"IoU": "IoU", "boundary IoU": "BoundaryIoU@0.02", "F@2px": "F@2px"}
PRECISE = {**{name: f"{name}/COCO" for name in ("AP", "AP_S", "AP_M", "AP_L")}, "boundary AP": "BoundaryAP@0.02/COCO"}
SPLITS = {"DAVIS": "davis_val", "COCO": "coco_val2017"}
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
NETWORKS = {
    "starter": ("mobilenet-v2-detail", 128),
    "starter-fast": ("mobilenet-v2-detail", 64),
    "starter-0.2": ("mobilenet-v2", 128),
    "starter-fast-0.2": ("mobilenet-v2", 64),
    "hrnet-w18s": ("hrnet-w18s", 128),
}
"""By the stem of a model's file in docs/results/quality: its network and input side, which network_costs.py measured."""


def headline(model: str) -> str:
    """Numbers of a model before and after, and how many masks it harmed: of a detector, and of masks that are good already."""
    found, rows = published(f"quality/{model}"), []
    for label, split, name in HEADLINE:
        row, harmed = found[split]["rows"][name], found[split]["shares"]["harmed_clearly"]
        worse = f"{100 * harmed:.1f} % of masks" if name.startswith("F@") else ""
        rows.append([label, f"{100 * row['before']:.1f}", f"**{100 * row['value']:.1f}**", worse])
        if (split, name) == HEADLINE[0][1:]:
            rows.append(_best_rival(split))
    makers = published(f"sources/{model}")["sets"]["davis_val"]
    for maker, label in GOOD_MASKS.items():
        sides = [f"{100 * makers[maker]['IoU'][side]:.1f}" for side in ("before", "after")]
        rows.append([f"DAVIS val, {label}: mask IoU", *sides, f"{100 * makers[maker]['harmed_1']:.1f} % of masks"])
    return markdown_table(["", "coarse", "refined", "lost over a point of IoU"], rows)


def _best_rival(split: str) -> list[str]:
    """The row of the method that gains most boundary F among those that need no network of ours."""
    report = published(f"{split}.refiners")
    rivals = [row for row in report["methods"] if row["name"] in RIVALS]
    best, before = max(rivals, key=gain), 100 * report["before"]["boundary_f"]
    worse = 100 * best["comparison"]["shares"]["harmed_clearly"]
    what = f"the same by {best['name']}, the best of {len(rivals)} other methods"
    return [what, f"{before:.1f}", f"{before + 100 * gain(best):.1f}", f"{worse:.1f} % of masks"]


def nuclei(model: str) -> str:
    """Small cells: what a model makes of masks that are exact or nearly so, and of coarse ones."""
    makers = published(f"sources/{model}")["sets"]["nuclei"]
    images, rows = max(row["images"] for row in makers.values()), []
    for maker in (maker for maker in ON_CELLS if maker in makers):
        row = makers[maker]
        arrows = (f"{100 * row[name]['before']:.1f} -> {100 * row[name]['after']:.1f}" for name in ("IoU", "F@1px"))
        worse = f"{100 * row['harmed_1']:.1f} % / {100 * row['harmed_5']:.1f} %"
        rows.append([maker, str(row["masks"]), *arrows, worse])
    head = ["coarse masks", "masks", "IoU", "F@1px", "lost over 1 / 5 points of IoU"]
    return f"{images} images.\n\n{markdown_table(head, rows)}"


def precision(name: str) -> str:
    """COCO mask AP before and after, side by side."""
    rows = published(f"{name}.eval")["rows"]
    sides = {"before": "before", "refined": "value"}
    cells = [[label, *(f"{100 * rows[f'{ap}/COCO'][key]:.2f}" for ap in AP_ROWS)] for label, key in sides.items()]
    return markdown_table(["mask AP", *AP_ROWS], cells)


def metrics(name: str) -> str:
    """Every metric before and after, with its interval; AP by size is in the table of AP."""
    rows = published(f"{name}.metrics")["rows"]
    cells = []
    for key, row in rows.items():
        if not key.partition("@")[0].partition("/")[0].endswith(SIZES):
            low, high = (f"{100 * value:+.2f}" for value in row["interval"])
            sides = [f"{100 * row[side]:.2f}" for side in ("before", "value")]
            cells.append([key, *sides, f"{100 * row['change']:+.2f}", f"{low} .. {high}"])
    return markdown_table(["metric", "before", "refined", "change", "95 % interval"], cells)


def quality() -> str:
    """The coarse masks, then one row per model: changes in points on both validation splits, and AP on COCO val."""
    files = sorted((RESULTS / "quality").glob("*.json"), reverse=True)
    models = [published(f"quality/{path.stem}") for path in files]
    coarse, rows = models[0], []
    first = ["coarse masks, values"]
    for split in SPLITS.values():
        first += [f"{100 * coarse[split]['rows'][f'{name}/matched']['before']:.2f}" for name in PAIRED.values()] + [""]
    rows.append(first + [f"{100 * coarse['coco_val2017']['rows'][name]['before']:.2f}" for name in PRECISE.values()])
    for model in models:
        cells = [model["change"]]
        for split in SPLITS.values():
            found = model[split]["rows"]
            cells += [f"{100 * found[f'{name}/matched']['change']:+.2f}" for name in PAIRED.values()]
            cells.append(f"{100 * model[split]['shares']['harmed_clearly']:.1f} %")
        precise = [model["coco_val2017"]["rows"][name] for name in PRECISE.values()]
        rows.append(cells + [f"{100 * row['value']:.2f} ({100 * row['change']:+.2f})" for row in precise])
    paired = [f"{split} {name}" for split in SPLITS for name in (*PAIRED, "harmed > 1 point")]
    return markdown_table(["model", *paired, *PRECISE], rows)


def costs() -> str:
    """The costs of the models, from network_costs.py."""
    measured = published("models")["rows"].values()
    rows = []
    for stem, (network, side) in NETWORKS.items():
        of_network = (row for row in measured if row["network"].startswith(f"bpr_{network}_"))
        row = next(row for row in of_network if row["input_side"] == side)
        size = [f"{row['parameters'] / 1e6:.2f} M", f"{row['multiply_adds'] / 1e9:.2f}"]
        rate = f"{row['onnx']['patches_per_second']:.0f}"
        rows.append([published(f"quality/{stem}")["change"], network, str(side), *size, rate])
    head = ["model", "network", "input px", "parameters", "GMACs a patch", "patches/s, ONNX Runtime"]
    return markdown_table(head, rows, left=2)
