"""The tensors of a checkpoint file, read without executing anything that the file holds.

torch's ``weights_only`` reader builds tensors and plain values and refuses every name of a function or class that a
file asks for. Old checkpoints ask for a few harmless ones in their notes: the authors' files may keep a best score as
a numpy scalar, MMEngine keeps its log. To allow those names would be to run code of theirs with arguments that the file
chooses. Instead each is answered with an inert stand-in, which takes the arguments and forgets them: the notes are lost,
the tensors are read, nothing is imported or called. Any other name is refused.
"""

from __future__ import annotations

import re
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import torch

from bpr.errors import BPRError
from bpr.io.files import atomic_open

NOTES = (
    "numpy.dtype", "numpy.ndarray", "numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar",
    "numpy.core.multiarray._reconstruct", "numpy._core.multiarray._reconstruct",
    "mmengine.logging.history_buffer.HistoryBuffer", "builtins.getattr", "__builtin__.getattr",
)  # fmt: skip
"""Names that old checkpoints ask for outside their tensors."""


class _Forgotten:
    """What stands where a note was."""

    def __init__(self, *arguments: Any) -> None:
        pass

    def __setstate__(self, state: Any) -> None:
        pass


NEEDED_TO_RESUME = {"state_dict", "meta", "message_hub"}
"""What MMEngine goes on from; without an optimizer it begins with a fresh one."""


def read_state_dict(checkpoint: str | Path) -> dict[str, torch.Tensor]:
    """The tensors of a checkpoint in the layout ``{'meta', 'state_dict'}`` or plain.

    Raises:
        BPRError: no such file, no checkpoint, one that asks for code to be run, or one without tensors by name.
    """
    content = _read(checkpoint)
    state = content.get("state_dict", content) if isinstance(content, dict) else None
    if not isinstance(state, dict) or not all(isinstance(value, torch.Tensor) for value in state.values()):
        raise BPRError(f"{checkpoint}: expected tensors by name, plain or under 'state_dict', got something else")
    return state


def check_resumable(checkpoint: str | Path) -> None:
    """Raise a BPRError where a training cannot go on from this file."""
    content = _read(checkpoint)
    missing = sorted(NEEDED_TO_RESUME - content.keys() if isinstance(content, dict) else NEEDED_TO_RESUME)
    if missing:
        remedy = f"to start from its weights: --cfg-options load_from={checkpoint}"
        raise BPRError(f"{checkpoint}: expected a checkpoint of bpr train to resume, got one without {', '.join(missing)}; {remedy}")


def write_state_dict(out: str | Path, state: dict[str, torch.Tensor], meta: dict[str, str]) -> None:
    """Write tensors and where they come from, in the layout ``{'meta', 'state_dict'}``."""
    with atomic_open(out, "wb") as file:
        torch.save({"meta": meta, "state_dict": state}, file)


def _read(checkpoint: str | Path) -> Any:
    if not Path(checkpoint).is_file():
        raise BPRError(f"{checkpoint}: no such file; expected a checkpoint (.pth)")
    try:
        with _inert_notes():
            return torch.load(checkpoint, map_location="cpu", weights_only=True)
    except Exception as error:  # a file that is no checkpoint makes torch's reader stumble in many ways
        raise BPRError(f"{checkpoint}: {_reason(error)}") from error


def _inert_notes() -> AbstractContextManager[Any]:
    """Where torch can map names (2.6 on); an older one refuses such files."""
    if not hasattr(torch.serialization, "get_unsafe_globals_in_checkpoint"):
        return nullcontext()
    return torch.serialization.safe_globals([(_Forgotten, name) for name in NOTES])


def _reason(error: Exception) -> str:
    text = str(error) or type(error).__name__
    asked = re.search(r"GLOBAL (\S+)", text)
    if asked:
        return (
            f"not a checkpoint of plain tensors (it asks to run {asked[1]}, which was not done); where you trust its source, "
            "save its tensors alone: torch.save({'state_dict': tensors}, file)"
        )
    return f"not a checkpoint of plain tensors ({text.splitlines()[0][:120]}); expected a .pth file that bpr train or torch.save wrote"


def fill(model: torch.nn.Module, state: dict[str, torch.Tensor], complaint: str) -> None:
    """Load all tensors into the model; raise a BPRError that begins with ``complaint`` where they are not the model's."""
    try:
        model.load_state_dict(state)
    except RuntimeError as error:
        raise BPRError(f"{complaint} ({' '.join(str(error).split())[:200]})") from error
