"""Write the folder of a report: pictures, data, assets and the page. It appears complete or not at all."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bpr.errors import BadImage, BPRError, install_hint
from bpr.evaluation.matching import grouped
from bpr.io.folders import atomic_folder
from bpr.io.image_finder import ImageFinder, existing
from bpr.io.images import read_framed
from bpr.refinement.pipeline import ordered_map
from bpr.report.html.collect import Collection, Instance
from bpr.report.html.data import instance_data, report_data, script
from bpr.report.html.pictures import pictures_of

PACKAGES = {"jinja2": "Jinja2", "matplotlib": "matplotlib"}


def check_installed() -> None:
    """Raise a BPRError if a library is missing that only reports need."""
    missing = [name for module, name in PACKAGES.items() if importlib.util.find_spec(module) is None]
    if missing:
        raise BPRError(f"a report needs the [report] extra: {install_hint('report')} ({', '.join(missing)} missing)")


def write_report(
    collection: Collection,
    images: ImageFinder,
    out: str | Path,
    files: dict[str, str],
    most: int,
    workers: int = 0,
    advance: Callable[[int], None] = lambda done: None,
) -> list[str]:
    """Write the report, and return a line for each image that could not be read. Its masks are shown on grey.

    Args:
        files: the names that the page shows, by role: ``after``, ``before``, and ``truth`` if there is one.
        most: how many instances get a view: those that changed most. Tables and plots cover all.
        workers: threads that read and crop images.
        advance: called with the number of instances done.

    Raises:
        BPRError: ``out`` must not be replaced or cannot be written.
    """
    from bpr.report.html.page import ASSETS, SCRIPTS, STYLES, render

    shown = most_changed(collection.instances, most)
    with atomic_folder(out, "bpr report") as folder:
        instances, problems = _write_pictures(shown, images, folder, workers, advance)
        data = report_data(collection.comparison is not None, instances, collection.review)
        _write(folder / "data" / "instances.js", script(data).encode())
        for name in (*SCRIPTS, *STYLES):
            _write(folder / "assets" / name, (ASSETS / name).read_bytes())
        _write(folder / "index.html", render(collection, shown, files, problems).encode())
    return problems


def most_changed(instances: Sequence[Instance], most: int) -> list[Instance]:
    """The ``most`` instances with the largest change, in their original order."""
    ranked = sorted(range(len(instances)), key=lambda index: -abs(instances[index].change))
    return [instances[index] for index in sorted(ranked[:most])]


def _write_pictures(
    shown: Sequence[Instance], images: ImageFinder, folder: Path, workers: int, advance: Callable[[int], None]
) -> tuple[list[dict[str, Any]], list[str]]:
    """The data of every shown instance, and a line for each image that could not be read."""
    groups = grouped(enumerate(shown), lambda numbered: numbered[1].image_id)
    data: list[dict[str, Any]] = []
    problems: list[str] = []
    for rows, problem in ordered_map(lambda group: _write_image(group, images, folder), groups.values(), workers):
        data += rows
        problems += [problem] if problem else []
        advance(len(data))
    return sorted(data, key=lambda row: int(row["number"])), problems


def _write_image(
    numbered: list[tuple[int, Instance]], images: ImageFinder, folder: Path
) -> tuple[list[dict[str, Any]], str | None]:
    """Write the pictures of one image's instances; return their data and what was wrong with the image.

    An image that cannot be read is replaced by a grey one.
    """
    first, problem = numbered[0][1], None
    frame, name = first.coarse.frame, str(first.image_id)
    try:
        path = images.path(first.image_id)
        name = "/".join(path.parts[-2:])
        image = read_framed(existing(path), frame)
    except BadImage as error:
        image, problem = np.full((*frame, 3), 128, np.uint8), str(error)
    rows = []
    for number, instance in numbered:
        pictures = pictures_of(instance, image)
        _write(folder / "data" / "cuts" / f"{number}.jpg", pictures.crop)
        _write(folder / "data" / "thumbnails" / f"{number}.jpg", pictures.thumbnail)
        rows.append(instance_data(instance, number, name, pictures))
    return rows, problem


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
