"""The options of commands that several processes may share and that can be resumed, and the report of their run."""

from __future__ import annotations

import argparse
import shlex
import sys
from typing import TYPE_CHECKING

from bpr.cli.options import extra, print_problems
from bpr.errors import BPRError
from bpr.refinement.sharing.launchers import VARIABLES, launched_rank

if TYPE_CHECKING:
    from bpr.refinement.outcome import RunReport
    from bpr.refinement.sharing.workers import Worker


def add_sharing(parser: argparse._ActionsContainer) -> None:
    launcher = "launcher that started these processes, which share the work"
    parser.add_argument("--resume", action="store_true", help="continue the same command after an interruption")
    parser.add_argument("--shard", type=_shard, metavar="I/N", help="refine only part I of N (docs/scale.md)")
    parser.add_argument("--launcher", choices=("none", *VARIABLES), default="none", help=launcher)


def _shard(text: str) -> tuple[int, int]:
    number, _, count = text.partition("/")
    if not (number.isdigit() and count.isdigit() and 1 <= int(number) <= int(count)):
        raise argparse.ArgumentTypeError(f"expected I/N, such as 1/4, got {text!r}")
    return int(number), int(count)


def is_resumed(args: argparse.Namespace) -> bool:
    """Whether to continue an unfinished run. Ranks always do: their launcher may start the same command again."""
    return bool(args.resume) or args.launcher != "none"


def shard_of(args: argparse.Namespace) -> tuple[int, int]:
    """The number and the count of the shard that this process does, by ``--shard`` or by its rank."""
    if args.launcher == "none":
        return args.shard or (1, 1)
    if args.shard:
        raise BPRError("--shard: expected no --launcher with it, which already shares the work; leave one out")
    launched = launched_rank(args.launcher)
    return launched.rank + 1, launched.world_size


def worker_of(args: argparse.Namespace) -> Worker:
    """The part of this process in a run. A rank takes its share of the machine here, before any other work."""
    from bpr.refinement.sharing.workers import Shard

    shard = shard_of(args)
    if args.launcher == "none":
        return Shard(*shard)
    with extra("train", "--launcher"):
        from bpr.refinement.sharing.ranks import Rank
    return Rank(args.launcher)


def resume_command(args: argparse.Namespace) -> str:
    """The command that resumes this run. Ranks do not know the command line of their launcher."""
    if args.launcher != "none":
        return "the same command"
    words = [word for word in sys.orig_argv if word != "--resume"]
    return shlex.join([*words, "--resume"])


def print_report(report: RunReport, out: str) -> None:
    """Print where the time went, what could not be refined, and last how many records were refined."""
    print(report.timing)
    print_problems([*report.notes, *report.problems])
    print(f"{report.summary} -> {out}")
