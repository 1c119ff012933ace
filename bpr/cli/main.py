"""The ``bpr`` command; every ``tools/NAME.py`` runs one of its subcommands."""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import sys
import traceback
from collections.abc import Sequence
from typing import Any

import bpr
from bpr.cli.streams import guarded_streams
from bpr.errors import BadUsage, BPRError

GROUPS = {
    "refine and look": {
        "refine": "refine masks: COCO, LVIS, panoptic, Cityscapes, PNGs, YOLO",
        "merge": "write the output of a run that was refined in shards",
        "convert": "write masks in another format",
        "demo": "refine painted scenes, print before and after, draw them",
        "app": "serve a page to try the refiner on a photo and a mask",
        "report": "write an HTML report of what refining changed",
    },
    "measure": {
        "eval": "score masks against ground truth, before and after",
        "analyze": "the paper's analyses: upper bound, failures, timing, ...",
    },
    "train": {
        "train": "train a refinement network from a config",
        "extract-patches": "cut training patches from detections and ground truth",
        "export": "export a trained checkpoint to ONNX, which needs no torch",
        "detect": "detect with a model of MMDetection, then refine",
    },
}
"""The commands and their one-line help. The module of a command, ``bpr.cli.NAME``, is imported when the command is used."""
COMMANDS = {name: line for commands in GROUPS.values() for name, line in commands.items()}

FAILED, USAGE, INTERRUPTED = 1, 2, 130
"""Exit codes; 130 is what shells report for a command that Ctrl-C ended."""


class Parser(argparse.ArgumentParser):
    """A parser that takes no abbreviated options: a later option could change what an abbreviation means."""

    def __init__(self, **options: Any) -> None:
        super().__init__(allow_abbrev=False, **options)


class CommandParser(Parser):
    """The parser of one command. Its options are added when it first parses, because that imports the command's module."""

    def __init__(self, command: str | None = None, **options: Any) -> None:
        super().__init__(**options)
        self._command = command

    def load(self) -> CommandParser:
        """Add the options of the command, unless that was done before."""
        if self._command:
            module = importlib.import_module(f"bpr.cli.{self._command.replace('-', '_')}")
            module.add_arguments(self)
            _add_debug(self, default=argparse.SUPPRESS)  # else it would reset the --debug before the command
            self.set_defaults(run=module.run)
            self.epilog = f"example:\n  {module.EXAMPLE}"
            self._command = None
        return self

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        self.load()
        return super().parse_known_args(args, namespace)


def build_parser() -> Parser:
    """The parser of ``bpr``; the parser of each command is still empty (:meth:`CommandParser.load`)."""
    layout = argparse.RawDescriptionHelpFormatter
    parser = Parser(prog="bpr", description=_overview(), formatter_class=layout)
    parser.add_argument("--version", action="version", version=f"bpr {bpr.__version__}")
    _add_debug(parser)
    hint = "one of the above; bpr COMMAND --help shows its options and an example"
    subparsers = parser.add_subparsers(
        dest="command", required=True, metavar="COMMAND", help=hint, parser_class=CommandParser
    )
    for name, line in COMMANDS.items():
        subparsers.add_parser(name, description=line, formatter_class=layout, command=name)
    return parser


def _overview() -> str:
    """The commands by group."""
    lines = ["Any instance masks in, better boundaries out."]
    for title, commands in GROUPS.items():
        lines += ["", f"{title}:", *(f"  {name:16} {line}" for name, line in commands.items())]
    return "\n".join(lines)


def _add_debug(parser: argparse.ArgumentParser, **options: Any) -> None:
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error", **options)


def entry() -> None:
    """Console entry point."""
    sys.exit(main())


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code.

    Returns:
        0: done. 1: the run failed, and one line on stderr says why. 2: wrong usage. 130: interrupted.
    """
    with guarded_streams() as out:
        try:
            parser = build_parser()
            _offer_completion(parser)
            args = parser.parse_args(argv)
        except (ImportError, KeyboardInterrupt) as error:
            return _report_failure("bpr", error)
        code = _run(args)
        out.flush()
        if not out.failure:
            return code
        problem = f"standard output: cannot write ({out.failure}); make room, or send it elsewhere"
        print(f"bpr {args.command}: {problem}", file=sys.stderr)
        return code or FAILED


def _run(args: argparse.Namespace) -> int:
    try:
        from bpr.cli.paths import check_paths
        from bpr.io.folders import written_by

        check_paths(args)
        with written_by(f"bpr {args.command}"):
            return int(args.run(args))
    except (Exception, KeyboardInterrupt) as error:
        if args.debug:
            traceback.print_exc()
        return _report_failure(f"bpr {args.command}", error)


def _report_failure(program: str, error: BaseException) -> int:
    """Print one line about why a command ended; returns its exit code."""
    interrupted = _is_interrupt(error)
    print(f"{program}: {'interrupted' if interrupted else _line(error)}", file=sys.stderr)
    return INTERRUPTED if interrupted else USAGE if isinstance(error, BadUsage) else FAILED


def _is_interrupt(error: BaseException | None) -> bool:
    """Whether Ctrl-C caused ``error``; a compiled library that is interrupted while it loads raises an ImportError."""
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__cause__ or error.__context__
    return error is not None


def _offer_completion(parser: argparse.ArgumentParser) -> None:
    """Complete words on <Tab>, where argcomplete is installed and registered in the user's shell."""
    if importlib.util.find_spec("argcomplete"):
        importlib.import_module("argcomplete").autocomplete(parser)


def _line(error: BaseException) -> str:
    """The text for the user. Any error but a BPRError is a defect, of BPR or of a library."""
    if isinstance(error, BPRError):
        return str(error)
    return f"{type(error).__name__}: {' '.join(str(error).split())}; --debug shows where"
