"""The tables of gpu.py."""

from __future__ import annotations

from typing import Any

from benchmarks.measuring import RESULTS, markdown_table
from bpr.io.files import read_json

NOT_YET = "not measured yet"


def networks() -> str:
    """One row per network, with the paper's three parts beside ours."""
    report = _report()
    limits, origin = report["limits"], report["provenance"]
    product, copy = f"{limits['operations'] / 1e12:.0f} TFLOP/s", f"{limits['bytes'] / 1e12:.2f} TB/s"
    reached = f"{product} in a bfloat16 product and {copy} in a copy"
    machine = f"{origin['cores']} cores of {origin['processor']}"
    note = f"{origin['date']}, {report['device']} ({reached}), {machine}."
    rates = ["patches/s, one graph", "eager", "images/s", "cut on the card"]
    head = ["network", *rates, "of the product", "of the copy", "milliseconds of the parts", "the paper's"]
    return f"{note}\n\n{markdown_table(head, map(_network_row, report['rows']))}"


def together() -> str:
    """Images per second by the number of processes on the GPU."""
    rows = _report()["together"]
    counts = list(dict.fromkeys(row["processes"] for row in rows))
    rates = {(row["processes"], row.get("on_card", False)): f"{row['images_per_second']:.0f}" for row in rows}
    lines = [[str(count), rates[count, False], rates.get((count, True), NOT_YET)] for count in counts]
    return markdown_table(["processes on the GPU", "images/s", "cut on the card"], lines, left=0)


def gates() -> str:
    """What torch on the GPU changed, model by model."""
    head = "| model | torch on the GPU | equal masks | F@2px against float32, points | gate |\n|---|---|---:|---:|---|"
    return "\n".join([head, *map(_gate_row, _report()["gates"])])


def _report() -> dict[str, Any]:
    return read_json(RESULTS / "gpu.json", "a report of gpu.py")


def _network_row(row: dict[str, Any]) -> list[str]:
    ours, paper = (" + ".join(f"{row[key][part]:.0f}" for part in row["paper"]) for key in ("milliseconds", "paper"))
    rates = [f"{row[key]:,.0f}" for key in ("patches_per_second", "patches_per_second_eager", "images_per_second")]
    on_card = row.get("images_per_second_on_card")
    rates.append(NOT_YET if on_card is None else f"{on_card:,.0f}")
    shares = [f"{100 * row[key]:.1f} %" for key in ("of peak", "of bandwidth")]
    return [row["network"], *rates, *shares, ours, paper]


def _gate_row(row: dict[str, Any]) -> str:
    share, gate = f"{100 * row['equal_masks']:.1f} % of {row['masks']}", "passed" if row["passed"] else "**failed**"
    return f"| {row['model']} | {row['arithmetic']} | {share} | {row['f2_points']:+.3f} | {gate} |"
