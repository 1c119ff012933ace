"""The ``bpr`` command; every ``tools/NAME.py`` is one of its subcommands."""

from __future__ import annotations

import argparse
import importlib.util
import sys
import traceback
from collections.abc import Sequence
from typing import Any

import bpr
from bpr.cli.streams import guarded_streams
from bpr.errors import BadUsage, BPRError

TRAINING = ("extract-patches", "synthesize-masks", "train", "export", "quantize", "convert-checkpoint", "average-checkpoints")
COMMANDS = ("refine", "merge", "detect", "convert", "demo", "app", "visualize", "test", "eval", "analyze", "report", *TRAINING)


FAILED, USAGE, INTERRUPTED = 1, 2, 130
"""Exit codes; the last is what a shell says of a command that Ctrl-C ended."""


class Parser(argparse.ArgumentParser):
    """Takes options by their whole names: an abbreviation would name another one day."""

    def __init__(self, **options: Any) -> None:
        super().__init__(allow_abbrev=False, **options)


def entry() -> None:
    """Console entry point."""
    sys.exit(main())


def main(argv: Sequence[str] | None = None) -> int:
    """Run one subcommand. Exit code 0: done, 1: the run failed (one line says why), 2: usage, 130: interrupted."""
    with guarded_streams() as out:
        try:
            parser = build_parser()
            _offer_completion(parser)
            args = parser.parse_args(argv)
        except (ImportError, KeyboardInterrupt) as error:
            return _failure("bpr", error)
        code = _run(args)
        out.flush()
        if not out.failure:
            return code
        print(f"bpr {args.command}: standard output: cannot write ({out.failure}); make room, or send it elsewhere", file=sys.stderr)
        return code or FAILED


def _run(args: argparse.Namespace) -> int:
    try:
        from bpr.cli.paths import check_paths

        check_paths(args)
        return int(args.run(args))
    except (Exception, KeyboardInterrupt) as error:
        if args.debug:
            traceback.print_exc()
        return _failure(f"bpr {args.command}", error)


def _failure(program: str, error: BaseException) -> int:
    """Say in one line why a command ends; returns its exit code."""
    interrupted = _is_interrupt(error)
    print(f"{program}: {'interrupted' if interrupted else _line(error)}", file=sys.stderr)
    return INTERRUPTED if interrupted else USAGE if isinstance(error, BadUsage) else FAILED


def _is_interrupt(error: BaseException | None) -> bool:
    """Whether Ctrl-C is behind it: a library that it reaches while it is loaded makes an ImportError of it."""
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__cause__ or error.__context__
    return error is not None


def build_parser() -> argparse.ArgumentParser:
    """The parser of all subcommands. A subcommand's help ends with an example, on one line, ready to be copied."""
    description, more = "Any instance masks in, better boundaries out.", "bpr COMMAND --help shows its options and an example"
    parser = Parser(prog="bpr", description=description, epilog=more)
    parser.add_argument("--version", action="version", version=f"bpr {bpr.__version__}")
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name in COMMANDS:
        module = importlib.import_module(f"bpr.cli.{name.replace('-', '_')}")
        layout, example = argparse.RawDescriptionHelpFormatter, f"example:\n  {module.EXAMPLE}"
        sub = subparsers.add_parser(name, help=module.HELP, description=module.HELP, epilog=example, formatter_class=layout)
        module.add_arguments(sub)
        sub.add_argument("--debug", action="store_true", default=argparse.SUPPRESS, help="show the traceback of an error")
        sub.set_defaults(run=module.run)
    return parser


def _offer_completion(parser: argparse.ArgumentParser) -> None:
    """Complete on <Tab> where argcomplete is installed and registered in the user's shell; nothing otherwise."""
    if importlib.util.find_spec("argcomplete"):
        importlib.import_module("argcomplete").autocomplete(parser)


def _line(error: BaseException) -> str:
    """What a user reads: our own errors say all; any other is a defect, of ours or of a library."""
    if isinstance(error, BPRError):
        return str(error)
    return f"{type(error).__name__}: {' '.join(str(error).split())}; --debug shows where"
