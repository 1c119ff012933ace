"""Do the same images in other types give the same masks? 16 bits, 12 bits in 16, floats and one band of three.

    python -m benchmarks.studies.pixel_depths ANNOTATIONS IMAGES --every 8 --most 10

ANNOTATIONS is a COCO file of 8-bit images with exact masks; every mask is enlarged by two pixels and refined on the image
and on each of its versions. One line of JSON per version: the mean IoU with the masks of the 8-bit image, the lowest mean
of an image, the mean IoU with the exact masks, and what was said about the first image.
"""

from __future__ import annotations

import json
from collections.abc import Callable

import cv2
import numpy as np

import bpr
from benchmarks.measuring import script_parser
from bpr.formats.coco import read_annotations
from bpr.geometry.rle import decode_mask
from bpr.io.image_finder import ImageFolder
from bpr.io.images import read_image, show_array
from bpr.io.pixels import PixelOptions

VERSIONS: dict[str, tuple[Callable[[np.ndarray], np.ndarray], PixelOptions]] = {
    "8 bits": (lambda image: image, PixelOptions()),
    "16 bits": (lambda image: image.astype(np.uint16) * 257, PixelOptions()),
    "12 bits in 16": (lambda image: image.astype(np.uint16) * 16 + 7, PixelOptions()),
    "12 bits in 16, divided by 256": (lambda image: image.astype(np.uint16) * 16 + 7, PixelOptions("none")),
    "12 bits in 16, percentiles": (lambda image: image.astype(np.uint16) * 16 + 7, PixelOptions((0.1, 99.9))),
    "floats up to 1": (lambda image: (image / 255).astype(np.float32), PixelOptions()),
    "5 bands, 3 of them chosen": (lambda image: image[..., [1, 1, 2, 0, 0]], PixelOptions(bands=(5, 1, 3))),
}


def ious(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """(N,) IoU of (N, H, W) masks."""
    return (one & other).sum((1, 2)) / np.maximum((one | other).sum((1, 2)), 1)


def main() -> None:
    parser = script_parser(__doc__)
    parser.add_argument("annotations")
    parser.add_argument("images")
    parser.add_argument("--every", type=int, default=1, help="take every so many images")
    parser.add_argument("--most", type=int, default=50, help="masks of one image")
    args = parser.parse_args()
    document = read_annotations(args.annotations)
    folder, refiner = ImageFolder(args.images, document["images"]), bpr.load("starter")
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in VERSIONS}
    remarks = {}
    for entry in document["images"][:: args.every]:
        image = read_image(folder.path(entry["id"]))
        records = [record for record in document["annotations"] if record["image_id"] == entry["id"]][: args.most]
        exact = np.array([decode_mask(record["segmentation"], image.shape[:2]).to_frame() for record in records])
        coarse = np.array([cv2.dilate(mask.astype(np.uint8), np.ones((5, 5), np.uint8)) for mask in exact]) > 0
        reference = None
        for name, (version, options) in VERSIONS.items():
            shown = show_array(version(image), "image", options)
            remarks.setdefault(name, shown.remark)
            refined = refiner(shown.pixels, coarse)
            reference = refined if reference is None else reference
            found[name].append((float(ious(refined, reference).mean()), float(ious(refined, exact).mean())))
    for name, pairs in found.items():
        same, true = np.array(pairs).T
        means = {"same": same.mean(), "lowest": same.min(), "exact": true.mean()}
        rounded = {key: round(float(value), 4) for key, value in means.items()}
        print(json.dumps({"version": name, "images": len(pairs), **rounded, "said": remarks[name]}))


if __name__ == "__main__":
    main()
