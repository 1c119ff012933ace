"""Runs a script of ``tools/`` as the ``bpr`` command runs a subcommand."""

from __future__ import annotations

import argparse
import sys
import traceback
from collections.abc import Callable, Sequence

from bpr.cli.paths import check_paths
from bpr.cli.streams import guarded_streams
from bpr.errors import BadUsage, BPRError

FAILED, USAGE, INTERRUPTED = 1, 2, 130


def run_script(
    parser: argparse.ArgumentParser, run: Callable[[argparse.Namespace], None], argv: Sequence[str] | None = None
) -> int:
    """Parse the arguments and run the script; an error is printed as one line.

    Returns:
        The exit code. 0: done, 1: the run failed, 2: wrong usage, 130: interrupted.
    """
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    args = parser.parse_args(argv)
    with guarded_streams() as out:
        try:
            check_paths(args)
            run(args)
        except KeyboardInterrupt:
            print(f"{parser.prog}: interrupted", file=sys.stderr)
            return INTERRUPTED
        except Exception as error:
            if args.debug:
                traceback.print_exc()
            text = " ".join(str(error).split())
            line = str(error) if isinstance(error, BPRError) else f"{type(error).__name__}: {text}; --debug shows where"
            print(f"{parser.prog}: {line}", file=sys.stderr)
            return USAGE if isinstance(error, BadUsage) else FAILED
        out.flush()
        if out.failure:
            print(f"{parser.prog}: standard output: cannot write ({out.failure}); send it elsewhere", file=sys.stderr)
            return FAILED
        return 0
