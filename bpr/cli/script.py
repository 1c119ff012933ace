"""Runs a script of ``tools/`` as the ``bpr`` command runs a subcommand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from bpr.cli.main import DEBUG, Parser, run_parsed
from bpr.cli.streams import guarded_streams


def run_script(parser: Parser, run: Callable[..., Any], argv: Sequence[str] | None = None) -> int:
    """Parse the arguments and run the script; an error is printed as one line.

    Args:
        run: takes the parsed arguments.

    Returns:
        The exit code. 0: done, 1: the run failed, 2: wrong usage, 130: interrupted.
    """
    parser.add_argument("--debug", action="store_true", help=DEBUG)
    parser.set_defaults(run=run)
    args = parser.parse_args(argv)
    with guarded_streams() as out:
        return run_parsed(parser.prog, args, out)
