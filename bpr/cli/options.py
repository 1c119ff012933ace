"""Options that several commands share."""

from __future__ import annotations

import argparse
import os

from bpr.errors import BPRError
from bpr.geometry.scheme import PatchScheme


def add_workers(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--workers", type=int, default=min(4, os.cpu_count() or 1), help="threads that read and cut (results do not depend on it)")


def add_scheme(parser: argparse.ArgumentParser, part: str) -> None:
    parser.add_argument("--config", help=f"config whose refinement.scheme and refinement.{part} give the numbers")
    parser.add_argument("--side", type=int, help=f"patch side in pixels (default: {PatchScheme.side})")
    parser.add_argument("--padding", type=int, help=f"context around a patch in pixels (default: {PatchScheme.padding})")
    parser.add_argument("--nms-iou", type=float, help=f"suppress patches of larger IoU (default: {PatchScheme.nms_iou})")
    parser.set_defaults(scheme_part=part)


def scheme_from(args: argparse.Namespace) -> PatchScheme:
    """The scheme of ``--config`` (or the defaults), changed by the flags."""
    try:
        base = PatchScheme.from_dict(_from_config(args.config, args.scheme_part)) if args.config else PatchScheme()
        return base.changed(side=args.side, padding=args.padding, nms_iou=args.nms_iou)
    except ValueError as error:
        raise BPRError(str(error)) from error


def _from_config(path: str, part: str) -> dict[str, object]:
    from mmengine.config import Config

    refinement = Config.fromfile(path).refinement
    return {**refinement.scheme, **refinement[part]}
