"""Checkpoint files: written whole or not at all, and read without executing anything that they contain.

torch's ``weights_only`` reader builds tensors and plain values, and refuses every function or class that a file
names. Old checkpoints name a few harmless ones next to their tensors: the authors' files may keep a best score as a
numpy scalar, MMEngine keeps its log. Allowing those names would run their code with arguments that the file chooses.
Instead, each of them is replaced by an inert stand-in that ignores its arguments: those values are lost, the tensors
are read, nothing is imported or called. Any other name is refused.
"""

from __future__ import annotations

import re
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import torch
from mmengine.fileio import LocalBackend, register_backend
from mmengine.hooks import Hook
from mmengine.runner import Runner

from bpr.errors import BPRError
from bpr.io.files import atomic_open
from bpr.training.registry import HOOKS

HARMLESS = (
    "numpy.dtype", "numpy.ndarray", "numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar",
    "numpy.core.multiarray._reconstruct", "numpy._core.multiarray._reconstruct",
    "mmengine.logging.history_buffer.HistoryBuffer", "builtins.getattr", "__builtin__.getattr",
)  # fmt: skip
"""Names that old checkpoints contain outside their tensors; a stand-in replaces each of them."""
NEEDED_TO_RESUME = {"state_dict", "meta", "message_hub"}
"""What MMEngine needs to resume; where there is no optimizer it starts a fresh one."""
KEPT_OF_THE_LOG = ("best_score", "best_ckpt", "keep_ckpt_ids")
"""What MMEngine's CheckpointHook looks up after a resume: numbers, file names, lists of iterations."""


class _Ignored:
    """Stands where one of the harmless names was."""

    def __init__(self, *arguments: Any) -> None:
        pass

    def __setstate__(self, state: Any) -> None:
        pass


@HOOKS.register_module()
class PlainCheckpointHook(Hook):
    """Remove MMEngine's log from its checkpoints: those objects need unpickling, tensors and numbers do not.

    The rest loads with ``weights_only=True``, the default of torch >= 2.6, also to resume. After a resume, the
    smoothing windows of the log restart; the best score so far and the list of kept checkpoints are still known.
    """

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        log = checkpoint["message_hub"]["runtime_info"]
        kept = {name: value for name, value in log.items() if name.startswith(KEPT_OF_THE_LOG)}
        resumed = dict.fromkeys(kept, True)
        checkpoint["message_hub"] = {"log_scalars": {}, "runtime_info": kept, "resumed_keys": resumed}


class WholeFileBackend(LocalBackend):
    """MMEngine's local files, written under another name and then renamed: no kill leaves half a checkpoint."""

    def put(self, obj: bytes, filepath: str | Path) -> None:
        with atomic_open(filepath, "wb") as file:
            file.write(obj)


register_backend("bpr.whole", WholeFileBackend)


def read_state_dict(checkpoint: str | Path) -> dict[str, torch.Tensor]:
    """The tensors of a checkpoint, in the layout ``{'meta', 'state_dict'}`` or plain.

    Raises:
        BPRError: no such file, not a checkpoint, it names code to be run, or it holds no tensors by name.
    """
    content = _read(checkpoint)
    state = content.get("state_dict", content) if isinstance(content, dict) else None
    if not isinstance(state, dict) or not all(isinstance(value, torch.Tensor) for value in state.values()):
        raise BPRError(f"{checkpoint}: expected tensors by name, plain or under 'state_dict', got something else")
    return state


def check_resumable(checkpoint: str | Path) -> None:
    """Raise a BPRError where a training cannot resume from this file."""
    content = _read(checkpoint)
    missing = sorted(NEEDED_TO_RESUME - content.keys() if isinstance(content, dict) else NEEDED_TO_RESUME)
    if missing:
        raise BPRError(
            f"{checkpoint}: expected a checkpoint of bpr train to resume, got one without {', '.join(missing)}; "
            f"to start from its weights: --cfg-options load_from={checkpoint}"
        )


def write_state_dict(out: str | Path, state: dict[str, torch.Tensor], meta: dict[str, str]) -> None:
    """Write tensors and their origin in the layout ``{'meta', 'state_dict'}``."""
    with atomic_open(out, "wb") as file:
        torch.save({"meta": meta, "state_dict": state}, file)


def load_into(model: torch.nn.Module, state: dict[str, torch.Tensor], complaint: str) -> None:
    """Load all tensors into the model; where they do not fit, raise a BPRError that begins with ``complaint``."""
    try:
        model.load_state_dict(state)
    except RuntimeError as error:
        raise BPRError(f"{complaint} ({' '.join(str(error).split())[:200]})") from error


def _read(checkpoint: str | Path) -> Any:
    if not Path(checkpoint).is_file():
        raise BPRError(f"{checkpoint}: no such file; expected a checkpoint (.pth)")
    # Torch < 2.6 cannot replace the harmless names by stand-ins, and refuses such files.
    names: AbstractContextManager[Any] = nullcontext()
    if hasattr(torch.serialization, "get_unsafe_globals_in_checkpoint"):
        names = torch.serialization.safe_globals([(_Ignored, name) for name in HARMLESS])
    try:
        with names:
            return torch.load(checkpoint, map_location="cpu", weights_only=True)
    except Exception as error:  # torch's reader raises many types for a file that is not a checkpoint
        raise BPRError(f"{checkpoint}: {_reason(error)}") from error


def _reason(error: Exception) -> str:
    text = str(error) or type(error).__name__
    named = re.search(r"GLOBAL (\S+)", text)
    if named:
        return (
            f"not a checkpoint of plain tensors (it asks to run {named[1]}, which was not done); where you trust its "
            "source, save only its tensors: torch.save({'state_dict': tensors}, file)"
        )
    first_line = text.splitlines()[0][:120]
    return f"not a checkpoint of plain tensors ({first_line}); expected a .pth file that bpr train or torch.save wrote"
