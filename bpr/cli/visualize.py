"""``bpr visualize``: pictures that explain."""

from __future__ import annotations

import argparse

from bpr.cli.numbers import at_least
from bpr.cli.paths import OutputPath

HELP = "draw what the method does: the extraction schemes side by side"
EXAMPLE = "bpr visualize schemes --out schemes.png"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("what", choices=["schemes"], help="schemes: where dense, grid and instance patches lie on a painted scene")
    add_picture(parser)


def add_picture(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", type=OutputPath, default="schemes.png", help="picture to write (default: %(default)s)")
    parser.add_argument("--seed", type=at_least(0), default=22, help="of the scene (default: %(default)s)")


def run(args: argparse.Namespace) -> int:
    draw(args)
    return 0


def draw(args: argparse.Namespace) -> None:
    from bpr.report.draw import write_image
    from bpr.report.schemes import draw_schemes
    from bpr.scenes import coarse_masks, paint_scene

    scene = paint_scene(args.seed)
    write_image(args.out, draw_schemes(scene.image, coarse_masks(scene, "mask_head", args.seed)))
    print(f"{len(scene.masks)} instances, three schemes -> {args.out}")
