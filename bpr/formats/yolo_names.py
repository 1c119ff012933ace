"""The names of YOLO's classes: ``names`` of a ``data.yaml``, or the lines of a ``classes.txt``."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path

from bpr.errors import BPRError, shown
from bpr.io.files import atomic_open, read_rows
from bpr.limits import MOST_CATEGORIES

DATA, CLASSES = "data.yaml", "classes.txt"
TEXTS = {CLASSES, "train.txt", "val.txt", "test.txt"}
"""Text files that tools put beside label files; they hold names or paths."""
HIGHEST = 2
"""How many folders above the labels may hold the names: ``set/labels/train`` is two below ``set``."""


def class_names(labels: Path) -> dict[int, str]:
    """The names of the classes by number, from the folder of the labels or one above; empty where none holds any.

    Raises:
        BPRError: a class has a higher number than any data set has.
    """
    folders = [labels, *labels.absolute().parents[:HIGHEST]]
    for folder in folders:
        if (path := folder / DATA).is_file() and (names := _names_of_yaml(read_rows(path))):
            if (highest := max(names)) >= MOST_CATEGORIES:
                raise BPRError(f"{path}: names: expected numbers of 0 to {MOST_CATEGORIES - 1}, got {shown(highest)}")
            return names
        if (path := folder / CLASSES).is_file():
            return dict(enumerate(line.strip() for line in read_rows(path) if line.strip()))
    return {}


def _names_of_yaml(lines: list[str]) -> dict[int, str]:
    """``names`` of a data.yaml: a list or a mapping, on its own line or below it.

    The package needs no YAML beside this; what is written otherwise gives no names.
    """
    start = next((index for index, line in enumerate(lines) if re.match(r"names\s*:", line)), None)
    if start is None:
        return {}
    rest = _without_comment(lines[start].split(":", 1)[1]).strip()
    items = []
    for line in lines[start + 1 :]:
        line = _without_comment(line)
        if line.strip() and not re.match(r"\s|-", line):
            break
        items.append(line.strip())
    if rest:
        whole = " ".join([rest, *items])
        opened, closed = whole[:1], whole.find("]" if whole[:1] == "[" else "}")
        items = _QUOTED_OR_PLAIN.findall(whole[1:closed]) if opened in ("[", "{") and closed > 0 else []
    names = {}
    for item in filter(None, (item.strip() for item in items)):
        if keyed := re.match(r"""["']?(\d{1,18})["']?\s*:\s*(.*)""", item):
            names[int(keyed[1])] = _unquoted(keyed[2])
        else:
            names[len(names)] = _unquoted(re.sub(r"^-\s*", "", item))
    return names


_QUOTED_OR_PLAIN = re.compile(r"""(?:\d+\s*:\s*)?(?:"(?:\\.|[^"\\])*"|'(?:''|[^'])*'|[^,]+)""")
"""An item of a list or mapping that is written on one line."""


def _without_comment(line: str) -> str:
    return re.sub(r"(^|\s)#.*", "", line)


def _unquoted(text: str) -> str:
    text = text.strip()
    if text[:1] == "'" == text[-1:]:
        return text[1:-1].replace("''", "'")
    if text[:1] == '"':
        try:
            return str(json.loads(text))
        except ValueError:
            return text.strip('"')
    return text


def write_names(path: Path, names: Mapping[int, str]) -> None:
    """Write a data.yaml for labels beside which the images lie as ``images``.

    Raises:
        BPRError: it cannot be written.
    """
    lines = ["path: .", "train: images", "val: images", f"nc: {len(names)}", "names:"]
    lines += [f"  {number}: {json.dumps(name, ensure_ascii=False)}" for number, name in sorted(names.items())]
    with atomic_open(path) as file:
        file.write("\n".join(lines) + "\n")


def is_named_text(path: Path) -> bool:
    """Whether a text file is one that tools put beside labels, and holds no labels itself."""
    if path.name.lower() not in TEXTS:
        return False
    try:
        return not any(len(line.split()) >= 5 and line.split()[0].isdigit() for line in read_rows(path))
    except BPRError:
        return False
