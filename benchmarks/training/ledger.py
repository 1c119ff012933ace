"""The ledger of the training data: which images anyone may use, by what licence, and how we know.

    python -m benchmarks.training.ledger DATA

Counts the images of DATA. Writes docs/results/ledger.md, a table of docs/training-data.md, and models/bpr_models/ATTRIBUTION.md,
which goes with every copy of the models that learned from cleared images alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.measuring import RESULTS, ROOT, markdown_table, script_parser
from bpr.formats.coco import read_annotations

Image = dict[str, Any]
FILES = {
    "coco": "coco/annotations/instances_train2017.json",
    "davis": "davis/annotations/instances_train.json",
    "davis16": "davis16/instances.json",
    "crisp": "crisp/instances.json",
}
COCO_CLEARED = {4: "CC BY 2.0", 5: "CC BY-SA 2.0", 7: "no known copyright restrictions", 8: "United States government work"}
"""The values of ``license`` of a COCO image that allow everybody every use."""
LAST_FRAMES = {
    "bear": 7, "bmx-bumps": 15, "boat": 23, "breakdance-flare": 30, "bus": 38, "car-turn": 46, "dance-jump": 52,
    "dog-agility": 54, "drift-turn": 60, "elephant": 68, "flamingo": 76, "hike": 84, "hockey": 92, "horsejump-low": 98,
    "kite-walk": 106, "lucia": 113, "mallard-fly": 120, "mallard-water": 128, "motocross-bumps": 134, "motorbike": 138,
    "paragliding": 145, "rhino": 154, "rollerblade": 158, "scooter-gray": 166,
}  # fmt: skip
"""The frames of davis/train have numbers and no sequence: the last number of each, told by eye, in the order of DAVIS 2016."""
OF_OTHERS = {
    "bike-packing", "boxing-fisheye", "breakdance", "cat-girl", "classic-car", "color-run", "crossing", "dancing",
    "disc-jockey", "dog-agility", "dog-gooses", "dogs-jump", "dogs-scale", "drift-chicane", "drift-straight",
    "drift-turn", "drone", "gold-fish", "india", "judo", "kid-football", "koala", "lab-coat", "lady-running",
    "lindy-hop", "loading", "longboard", "mbike-trick", "miami-surf", "motocross-bumps", "motocross-jump",
    "night-race", "parkour", "pigs", "planes-water", "rallye", "schoolgirls", "scooter-board", "sheep", "shooting",
    "skate-park", "stunt", "tuk-tuk", "upside-down", "varanus-cage", "walking",
}  # fmt: skip
"""Sequences that the authors of DAVIS did not film: those that SOURCES.md of DAVIS 2017 lists. Each has terms of its own."""


def sequence_of(image: Image) -> str:
    """The DAVIS sequence of a frame.

    >>> sequence_of({"file_name": "053.jpg"}), sequence_of({"file_name": "bear_00001.jpg", "sequence": "bear"})
    ('dog-agility', 'bear')
    """
    if "sequence" in image:
        return str(image["sequence"])
    return next(name for name, last in LAST_FRAMES.items() if int(Path(image["file_name"]).stem) <= last)


CLEARED: dict[str, Callable[[Image], bool]] = {
    "coco": lambda image: image["license"] in COCO_CLEARED,
    "davis": lambda image: sequence_of(image) not in OF_OTHERS,
    "davis16": lambda image: sequence_of(image) not in OF_OTHERS,
    "crisp": lambda image: image["set"] == "ccp",
}
"""Whether anyone may use an image of a set, and weights that learned from it."""
OWN_LICENCES = "CC BY 2.0, CC BY-SA 2.0, no known restrictions or US government"
ROWS = (
    ("COCO, free images", OWN_LICENCES, "`license` of each image; annotations CC BY 4.0", "yes, with attribution"),
    ("COCO, other images", "non-commercial or no derivatives", "`license` of each image", "no"),
    ("DAVIS, sequences of its authors", "CC BY 4.0", "its README; absent from its SOURCES.md", "yes, with attribution"),
    ("DAVIS, videos of others", "terms of those who uploaded them", "its SOURCES.md", "no"),
    ("CCP", "Apache-2.0", "the repository's licence; who took the photographs is not recorded", "yes"),
    ("ECSSD", "not stated", "no licence was found", "no"),
    ("iCoseg", "not stated", "no licence was found", "no"),
    ("Berkeley", "non-commercial", "its terms of use", "no"),
)
"""The licence of a source, how we know, and whether weights that learned from it are free."""


def source_of(name: str, image: Image) -> str:
    """The row of an image of a set."""
    free = CLEARED[name](image)
    if name == "crisp":
        return {"ccp": "CCP", "ecssd": "ECSSD", "icoseg": "iCoseg", "berkeley": "Berkeley"}[image["set"]]
    if name == "coco":
        return "COCO, free images" if free else "COCO, other images"
    return "DAVIS, sequences of its authors" if free else "DAVIS, videos of others"


def table(counts: dict[str, int]) -> str:
    head = ["source", "images here", "licence", "proof", "weights that learned from it are free"]
    return markdown_table(head, [[row[0], str(counts.get(row[0], 0)), *row[1:]] for row in ROWS], left=5)


ATTRIBUTION = """# Whose images the free models learned from

`starter-free` learned from these images, which were cut, resized and recoloured:

- {davis} frames of DAVIS (davischallenge.org) by F. Perazzi, J. Pont-Tuset, B. McWilliams, L. Van Gool, M. Gross,
  A. Sorkine-Hornung and others, CC BY 4.0: {sequences}.
- {ccp} photographs of Clothing Co-Parsing by W. Yang, P. Luo and L. Lin, Apache-2.0.
- {coco} images of COCO train2017 (cocodataset.org), listed below; its annotations are under CC BY 4.0.

The network began with weights of MobileNetV2 by Google (Coral, Apache-2.0), which had learned from ImageNet.

| COCO image | licence | address |
|---|---|---|
{rows}
"""


def main() -> None:
    parser = script_parser(__doc__)
    parser.add_argument("data", type=Path)
    args = parser.parse_args()
    images = {name: read_annotations(args.data / file)["images"] for name, file in FILES.items()}
    counts = Counter(source_of(name, image) for name, listed in images.items() for image in listed)
    (RESULTS / "ledger.md").write_text(table(counts) + "\n", encoding="utf-8")
    free = {name: [image for image in listed if CLEARED[name](image)] for name, listed in images.items()}
    rows = [f"| {one['file_name']} | {COCO_CLEARED[one['license']]} | {one['flickr_url']} |" for one in free["coco"]]
    frames = [*free["davis"], *free["davis16"]]
    text = ATTRIBUTION.format(
        davis=len(frames), sequences=", ".join(sorted(set(map(sequence_of, frames)))), ccp=len(free["crisp"]),
        coco=len(rows), rows="\n".join(rows),
    )  # fmt: skip
    (ROOT / "models" / "bpr_models" / "ATTRIBUTION.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
