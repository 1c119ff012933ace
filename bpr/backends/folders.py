"""Models by name: those of the package, of its second wheel, and of the folder that ``BPR_MODELS`` names.

A folder of models holds ``NAME.onnx`` files, their digests in ``SHA256SUMS`` as ``sha256sum *.onnx`` prints them, and in
``config.json`` a card for each: ``{"models": {"NAME": {"licence": ..., "data": ..., "good_at": ...}}}``. A file comes from
one of these folders or is not there: nothing is ever downloaded.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import cache
from importlib import resources
from importlib.util import find_spec
from pathlib import Path

from bpr.errors import BPRError
from bpr.io.files import read_json, sha256_of

VARIABLE = "BPR_MODELS"
"""The environment variable that names a folder of more models."""
SECOND_WHEEL = "bpr_models"
"""The package that the second wheel installs. In a checkout it is in ``models/``."""
SUMS, CARDS = "SHA256SUMS", "config.json"
ENTRIES = ("licence", "data", "good_at")
"""What a card says, each in a line of text."""


def model_digest(path: Path) -> str:
    """The SHA-256 of a model's file, read once as long as the file does not change."""
    state = path.stat()
    return _digest(path, state.st_mtime_ns, state.st_size)


@cache
def _digest(path: Path, changed: int, size: int) -> str:
    return sha256_of(path)


def named_models() -> dict[str, Path]:
    """The models that a user can name, with their files, in the order of these.

    Raises:
        BPRError: ``BPR_MODELS`` names no folder, or two folders have different files of one name.
    """
    found: dict[str, Path] = {}
    for folder in _folders():
        for path in filter(Path.is_file, sorted(folder.glob("*.onnx"))):
            known = found.setdefault(path.stem, path)
            if known != path and model_digest(known) != model_digest(path):
                raise BPRError(f"model {path.stem}: expected one file of this name, got {known} and {path}; rename one")
    return dict(sorted(found.items(), key=lambda item: item[1].name))


def _folders() -> Iterator[Path]:
    package = Path(str(resources.files("bpr")))
    yield package / "assets"
    checkout, installed = package.parent / "models" / SECOND_WHEEL, find_spec(SECOND_WHEEL)
    if checkout.is_dir():
        yield checkout
    elif installed is not None and installed.submodule_search_locations:
        yield Path(installed.submodule_search_locations[0])
    if own := os.environ.get(VARIABLE):
        if not os.path.isdir(own):
            raise BPRError(f"{VARIABLE}: expected a folder of models, got {own!r}; correct it, or unset it")
        yield Path(own)


def check_digest(model: str, path: Path) -> str:
    """The SHA-256 of a named model's file, which is the one in the ``SHA256SUMS`` beside it.

    Raises:
        BPRError: it is another one, or none is listed: a damaged model would refine worse.
    """
    sums, digest = path.with_name(SUMS), model_digest(path)
    lines = sums.read_text(encoding="utf-8", errors="replace").splitlines() if sums.is_file() else []
    rows = [line.strip().partition(" ") for line in lines]
    expected = {os.path.basename(name.strip().lstrip("*")): value for value, _, name in rows}.get(path.name)
    if expected is None:
        raise BPRError(f"model {model}: expected {path.name} to be listed in {sums}, got no such line; add it with sha256sum")
    if expected.lower() != digest:
        raise BPRError(f"model {model}: expected the file that {sums} lists, got another; install or copy it again")
    return digest


def card_of(path: Path) -> dict[str, str]:
    """What the ``config.json`` beside a model's file says about it; ``not stated`` where it says nothing.

    Raises:
        BPRError: the file cannot be read, or is not of this form.
    """
    file = path.with_name(CARDS)
    known = read_json(file, "the cards of models") if file.is_file() else {}
    cards = known.get("models", {}) if isinstance(known, dict) else None
    card = cards.get(path.stem, {}) if isinstance(cards, dict) else None
    if not isinstance(card, dict):
        raise BPRError(f'{file}: expected {{"models": {{"{path.stem}": {{...}}}}}}, got another form; see docs/weights.md')
    return {entry: str(card.get(entry, "not stated")) for entry in ENTRIES}
