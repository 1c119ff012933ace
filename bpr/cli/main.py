"""The ``bpr`` command; every ``tools/NAME.py`` is one of its subcommands."""

from __future__ import annotations

import argparse
import importlib
import sys
import traceback
from collections.abc import Sequence

from bpr.errors import BPRError

COMMANDS = ("refine", "convert", "demo", "extract-patches", "synthesize-masks", "train", "eval", "export")


def entry() -> None:
    """Console entry point."""
    sys.exit(main())


def main(argv: Sequence[str] | None = None) -> int:
    """Run one subcommand. Exit code 0: done, 1: the run failed (one line says why), 2: usage."""
    parser = argparse.ArgumentParser(prog="bpr", description="Any instance masks in, better boundaries out.")
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name in COMMANDS:
        module = importlib.import_module(f"bpr.cli.{name.replace('-', '_')}")
        sub = subparsers.add_parser(name, help=module.HELP, description=module.HELP, epilog=f"example: {module.EXAMPLE}")
        module.add_arguments(sub)
        sub.add_argument("--debug", action="store_true", default=argparse.SUPPRESS, help="show the traceback of an error")
        sub.set_defaults(run=module.run)
    args = parser.parse_args(argv)
    try:
        return int(args.run(args))
    except BPRError as error:
        if args.debug:
            traceback.print_exc()
        print(f"bpr {args.command}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"bpr {args.command}: interrupted", file=sys.stderr)
        return 1
