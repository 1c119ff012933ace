"""Commands and options of bpr 0.2.0 that are gone, and what to do instead: an old script is told so in its one line of error."""

from __future__ import annotations

from collections.abc import Iterator

SCRIPT = "python tools/{}.py of a checkout does this"
PYTHON = "in Python: bpr.load({}=...)"
OF_MODEL = "leave it out: the model file says it"
ONCE = "leave it out: a mask is refined once"
IN_CONFIG = "write it to the config, and pass --config"
LEAVE_OUT = "leave it out"


def _rows() -> Iterator[tuple[str, tuple[str, ...], str]]:
    """A command, its words that are gone, and what to do instead."""
    for name in ("quantize", "average_checkpoints", "convert_checkpoint", "synthesize_masks"):
        yield "bpr", (name.replace("_", "-"),), SCRIPT.format(name)
    yield "bpr", ("visualize",), "bpr analyze schemes does this"
    yield "bpr", ("test",), "run MMDetection's own tools/test.py with the same config"
    yield "bpr refine", ("--passes", "--wide"), ONCE
    yield "bpr refine", ("--side", "--padding"), OF_MODEL
    for name in ("nms-iou", "blend", "max-patches"):
        yield "bpr refine", (f"--{name}",), PYTHON.format(name.replace("-", "_"))
    yield "bpr refine", ("--reach",), "bpr analyze upper-bound takes it"
    yield "bpr extract-patches", ("--scheme", "--side", "--padding", "--nms-iou"), IN_CONFIG
    yield "bpr detect", ("--passes", "--wide"), ONCE
    yield "bpr detect", ("--config", "--scheme", "--side", "--padding", "--nms-iou", "--keep", "--max-patches"), OF_MODEL
    yield "bpr report", ("--most", "--workers"), LEAVE_OUT
    yield "bpr demo", ("--model", "--seed"), LEAVE_OUT
    analyses = {
        "upper-bound": ("--dataset", "--workers"),
        "failures": ("--count",),
        "patches": ("--count", "--side"),
        "images": ("--count",),
        "schemes": ("--seed",),
        "timing": ("--limit",),
    }
    for name, options in analyses.items():
        yield f"bpr analyze {name}", options, LEAVE_OUT


GONE = {(program, word): instead for program, words, instead in _rows() for word in words}
"""What to do instead, by a command and a word of its command line."""


def instead_of(program: str, word: str) -> str:
    """The end of an error message about a word that a command does not take; empty if it never took it.

    >>> instead_of("bpr refine", "--passes=2")
    ' of bpr 0.2.0; leave it out: a mask is refined once'
    """
    instead = GONE.get((program, word.partition("=")[0]))
    return f" of bpr 0.2.0; {instead}" if instead else ""
