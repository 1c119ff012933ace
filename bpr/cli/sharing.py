"""Options and last words of commands whose work several processes may share, and that go on after a kill."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from bpr.errors import BPRError, install_hint
from bpr.refinement.sharing.launchers import NAMES as LAUNCHERS
from bpr.refinement.sharing.launchers import place

if TYPE_CHECKING:
    from bpr.refinement.sharing.worklist import Worker


def add_sharing(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--resume", action="store_true", help="go on where the same command was interrupted")
    parser.add_argument("--shard", type=_shard, metavar="I/N", help="do the I-th of N parts only (docs/scale.md)")
    parser.add_argument(
        "--launcher", choices=("none", *LAUNCHERS), default="none",
        help="who started these processes, which share the work",
    )


def _shard(text: str) -> tuple[int, int]:
    number, _, count = text.partition("/")
    if not (number.isdigit() and count.isdigit() and 1 <= int(number) <= int(count)):
        raise argparse.ArgumentTypeError(f"expected I/N, as 1/4 to 4/4, got {text!r}")
    return int(number), int(count)


def is_resumed(args: argparse.Namespace) -> bool:
    """Whether to go on with what is there: asked for, or under a launcher, which may start the same command again and not say so."""
    return bool(args.resume) or args.launcher != "none"


def share_of(args: argparse.Namespace) -> tuple[int, int]:
    """Which of how many fixed parts this process does: what ``--shard`` says, or what the launcher does."""
    if args.launcher == "none":
        return args.shard or (1, 1)
    _check_no_shard(args)
    own = place(args.launcher)
    return own.rank + 1, own.count


def _check_no_shard(args: argparse.Namespace) -> None:
    if args.shard:
        raise BPRError("--shard: expected no --launcher beside it, which shares the work itself; leave one out")


def worker_of(args: argparse.Namespace) -> Worker:
    """Who this process is among those that share the work."""
    from bpr.refinement.sharing.worklist import Share

    if args.launcher == "none":
        return Share(*(args.shard or (1, 1)))
    _check_no_shard(args)
    try:
        from bpr.refinement.sharing.ranks import Rank
    except ImportError as error:
        raise BPRError(f"--launcher needs the [train] extra: {install_hint('train')} ({error.name} is missing)") from error
    return Rank(args.launcher)


class Unfinished(Exception):
    """A run that ended early and kept what it had; its text says why."""


@contextmanager
def kept_on_failure() -> Iterator[None]:
    """A full or broken disk ends a run as an interruption does."""
    try:
        yield
    except (OSError, BPRError) as error:
        cause = error if isinstance(error, OSError) else error.__cause__
        if not isinstance(cause, OSError):
            raise
        where = f" ({cause.filename})" if cause.filename else ""
        raise Unfinished(f"cannot write{where}: {cause.strerror}") from error


def go_on_command(args: argparse.Namespace) -> str:
    """What to type to go on; the command that started a launcher's ranks is not known to them."""
    if args.launcher != "none":
        return "the same command"
    words = [word for word in sys.orig_argv if word != "--resume"]
    return shlex.join([*words, "--resume"])
