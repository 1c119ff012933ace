"""Commands and options of bpr 0.2.0 that are gone, and what to do instead: an old script is told so in its one line of error."""

from __future__ import annotations

SCRIPT = "python tools/{}.py of a checkout does this"
PYTHON = "in Python: bpr.load({}=...)"
OF_MODEL = "leave it out: the model file says it"
ONCE = "leave it out: a mask is refined once"
IN_CONFIG = "write it to the config, and pass --config"
LEAVE_OUT = "leave it out"

ROWS = (
    ("bpr", "quantize average-checkpoints convert-checkpoint synthesize-masks", SCRIPT),
    ("bpr", "visualize", "bpr analyze schemes does this"),
    ("bpr", "test", "run MMDetection's own tools/test.py with the same config"),
    ("bpr refine", "--passes --wide", ONCE),
    ("bpr refine", "--side --padding", OF_MODEL),
    ("bpr refine", "--nms-iou --blend --max-patches", PYTHON),
    ("bpr refine", "--reach", "bpr analyze upper-bound takes it"),
    ("bpr extract-patches", "--scheme --side --padding --nms-iou", IN_CONFIG),
    ("bpr detect", "--passes --wide", ONCE),
    ("bpr detect", "--config --scheme --side --padding --nms-iou --keep --max-patches", OF_MODEL),
    ("bpr report", "--most --workers", LEAVE_OUT),
    ("bpr demo", "--model --seed", LEAVE_OUT),
    ("bpr analyze upper-bound", "--dataset --workers", LEAVE_OUT),
    ("bpr analyze failures", "--count", LEAVE_OUT),
    ("bpr analyze patches", "--count --side", LEAVE_OUT),
    ("bpr analyze images", "--count", LEAVE_OUT),
    ("bpr analyze schemes", "--seed", LEAVE_OUT),
    ("bpr analyze timing", "--limit", LEAVE_OUT),
)
"""A command, its words that are gone, and what to do instead; {} stands for the name of a word in Python."""
GONE = {
    (program, word): instead.format(word.strip("-").replace("-", "_"))
    for program, words, instead in ROWS
    for word in words.split()
}


def instead_of(program: str, word: str) -> str:
    """The end of an error message about a word that a command does not take; empty if it never took it.

    >>> instead_of("bpr refine", "--passes=2")
    ' of bpr 0.2.0; leave it out: a mask is refined once'
    """
    instead = GONE.get((program, word.partition("=")[0]))
    return f" of bpr 0.2.0; {instead}" if instead else ""
