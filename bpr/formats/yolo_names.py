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
README = "readme"
HIGHEST = 2
"""How many folders above the labels may hold the names: ``set/labels/train`` is two below ``set``."""


def class_names(labels: Path, above: int = 0) -> dict[int, str]:
    """The names of the classes by number, from the folder of the labels or one above; empty where none holds any.

    Args:
        above: how many folders above belong to the data set, if more than usual.

    Raises:
        BPRError: a class has a higher number than any data set has.
    """
    folders = [labels, *labels.absolute().parents[: max(HIGHEST, above)]]
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
    # Without a path, Ultralytics looks in the folder of the file.
    lines = ["train: images", "val: images", f"nc: {len(names)}", "names:"]
    lines += [f"  {number}: {json.dumps(name, ensure_ascii=False)}" for number, name in sorted(names.items())]
    with atomic_open(path) as file:
        file.write("\n".join(lines) + "\n")


ROOT = re.compile(r"path\s*:(.*)")
"""The line of a data.yaml that names the folder of the data set."""
SPLIT = re.compile(r"(train|val|test)\s*:")
"""A line that names the images of a split."""


def _root_of(row: str) -> str | None:
    """What a row of a data.yaml says of the folder of the data set; None for other rows."""
    found = ROOT.match(row)
    return _unquoted(_without_comment(found[1])) if found else None


def write_own_paths(data: Path, out: Path) -> None:
    """Copy a data.yaml; where it names its own folder, the copy names none, which means the folder of the copy."""
    rows = data.read_bytes().splitlines(keepends=True)
    out.write_bytes(b"".join(row for row in rows if not _is_folder(data.parent, _root_of(row.decode("latin-1")))))


def _is_folder(folder: Path, root: str | None) -> bool:
    """Whether the path of a data.yaml in ``folder`` means this folder: as a whole path, or by its name among data sets."""
    if root is None:
        return False
    return Path(root).resolve() == folder.resolve() if Path(root).is_absolute() else Path(root).name == folder.resolve().name


def paths_elsewhere(folder: Path) -> list[str]:
    """A line for each file of a data set that names images by whole paths, which a copy of it will name too."""
    remedy = "change it before you train on the output"
    found = []
    if (data := folder / DATA).is_file():
        rows = read_rows(data)
        roots = [root for row in rows if (root := _root_of(row)) and Path(root).parts and not _is_folder(folder, root)]
        found = [f"{data} says path: {shown(root)}; {remedy}" for root in roots]
        values = [_unquoted(_without_comment(row.split(":", 1)[1])) for row in rows if SPLIT.match(row)]
        found += [f"{data} names {shown(value)}; {remedy}" for value in values if Path(value).is_absolute()]
    for name in sorted(TEXTS - {CLASSES}):
        if (path := folder / name).is_file() and any(Path(row.strip()).is_absolute() for row in read_rows(path)):
            found.append(f"{path} names images by whole paths; {remedy}")
    return found


def is_named_text(path: Path) -> bool:
    """Whether a text file is one that tools put beside labels, and holds no labels itself."""
    if path.name.lower() not in TEXTS and not path.name.lower().startswith(README):
        return False
    try:
        return not any(len(line.split()) >= 5 and line.split()[0].isdigit() for line in read_rows(path))
    except BPRError:
        return False
