"""All loops, in one place to ask for."""

from bpr.compiled.patches import add_patches, colour_frequencies, covering_squares, looked_up, settled
from bpr.compiled.runs import BROKEN, counts_string, painted, parsed_runs

__all__ = [
    "BROKEN",
    "add_patches",
    "colour_frequencies",
    "counts_string",
    "covering_squares",
    "looked_up",
    "painted",
    "parsed_runs",
    "settled",
]
