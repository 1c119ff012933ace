"""The ``bpr`` command; every ``tools/NAME.py`` is one of its subcommands."""

from __future__ import annotations

import argparse
import importlib.util
import sys
import traceback
from collections.abc import Sequence

import bpr
from bpr.errors import BPRError

TRAINING = ("extract-patches", "synthesize-masks", "train", "export", "quantize", "convert-checkpoint", "average-checkpoints")
COMMANDS = ("refine", "merge", "detect", "convert", "demo", "app", "visualize", "test", "eval", "analyze", "report", *TRAINING)


def entry() -> None:
    """Console entry point."""
    sys.exit(main())


def main(argv: Sequence[str] | None = None) -> int:
    """Run one subcommand. Exit code 0: done, 1: the run failed (one line says why), 2: usage."""
    parser = build_parser()
    _offer_completion(parser)
    args = parser.parse_args(argv)
    try:
        return int(args.run(args))
    except (Exception, KeyboardInterrupt) as error:
        if args.debug:
            traceback.print_exc()
        print(f"bpr {args.command}: {_line(error)}", file=sys.stderr)
        return 1


def build_parser() -> argparse.ArgumentParser:
    """The parser of all subcommands. A subcommand's help ends with an example, on one line, ready to be copied."""
    description, more = "Any instance masks in, better boundaries out.", "bpr COMMAND --help shows its options and an example"
    parser = argparse.ArgumentParser(prog="bpr", description=description, epilog=more)
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
    if isinstance(error, KeyboardInterrupt):
        return "interrupted"
    return f"{type(error).__name__}: {' '.join(str(error).split())}; --debug shows where"
