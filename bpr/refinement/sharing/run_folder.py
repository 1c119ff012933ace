"""The folder ``.OUT.run`` next to an output: everything that is needed to continue an unfinished run.

run.json     the fingerprint of the run, and the job that began it
*.journal    the finished work of each worker (bpr.refinement.sharing.journal)
alphas       the soft edges of the finished images, if they are wanted (bpr.refinement.alpha_files)
lock         held while somebody works here; the system releases it when its holder dies
"""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from glob import escape
from pathlib import Path
from typing import IO, Any

from bpr.errors import BPRError
from bpr.io.files import read_json, write_json
from bpr.refinement.sharing.journal import Journal, JournalIndex
from bpr.refinement.sharing.workers import Worker

try:
    import fcntl
except ImportError:  # a system without file locks, such as Windows
    fcntl = None  # type: ignore[assignment]

VERSION = 2
TOKEN = 16
"""Characters of the random token of a run."""


class RunFolder:
    """The folder of the run that writes ``out``."""

    def __init__(self, out: Path) -> None:
        self.out = out
        self.path = out.parent / f".{out.name}.run"
        self.alphas = self.path / "alphas"
        self._state_file = self.path / "run.json"

    @contextmanager
    def joined(self, worker: Worker, state: Mapping[str, Any], resume: bool) -> Iterator[None]:
        """Begin the run or join it; the block holds the lock. Followers join unchecked: their leader has checked.

        Args:
            state: ``fingerprint``: the values that all workers must agree on, by name; ``job``: the fields of the job.
            resume: continue the unfinished run.

        Raises:
            BPRError: another process holds the lock, ``resume`` is not given and there is an unfinished run, or the
                unfinished run has another fingerprint.
        """
        if worker.role == "follower":
            yield
            return
        is_leader = worker.role == "leader"
        with self.locked(alone=is_leader):
            began = self._state_file.exists() if is_leader else self._journal_path(worker).exists()
            if began and not resume:
                problem = f"there is an unfinished run in {self.path}"
                raise BPRError(f"{self.out}: {problem}; continue it with --resume, or delete that folder")
            if self._state_file.exists():
                self.check(state["fingerprint"])
            else:
                token = secrets.token_hex(TOKEN // 2)
                write_json(self._state_file, {"version": VERSION, "token": token, **state}, indent=1)
            yield

    @contextmanager
    def locked(self, alone: bool) -> Iterator[None]:
        """Hold the folder's lock: ``alone``, or together with others that are not alone.

        Raises:
            BPRError: another process holds the lock, or the folder cannot be made.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            file = open(self.path / "lock", "w")  # noqa: SIM115  (closed by the block below)
        except OSError as error:
            raise BPRError(f"{self.out}: cannot write there ({error.strerror}); choose another output") from error
        with file:
            problem = f"another run is writing it (it holds {file.name})"
            _lock(file, alone, f"{self.out}: {problem}; wait for it, or choose another output")
            yield

    @contextmanager
    def journal(self, worker: Worker) -> Iterator[Journal]:
        """The journal of ``worker``, locked and open for appending."""
        journal = Journal(self._journal_path(worker))
        try:
            problem = f"{worker.number} of {worker.count} is already at work on it"
            _lock(journal, True, f"{self.out}: {problem}; wait for it to end")
            yield journal
        finally:
            journal.close()

    def read_journals(self, records: int, worker: Worker | None = None) -> JournalIndex:
        """What the journals of all workers hold, or that of one worker."""
        return JournalIndex(self._journals() if worker is None else [self._journal_path(worker)], records)

    def state(self) -> dict[str, Any]:
        """The content of run.json: the ``state`` that :meth:`joined` received when the run began.

        Raises:
            BPRError: there is no unfinished run, or its state cannot be read.
        """
        if not self._state_file.exists():
            wanted = f"expected an unfinished run in {self.path}"
            raise BPRError(f"{self.out}: {wanted}, got none; bpr refine --shard starts one")
        state = read_json(self._state_file, "the state of an unfinished run")
        try:
            state = _from_version_1(state) if state["version"] == 1 else state
            if state["version"] == VERSION:
                return {**state, "fingerprint": dict(state["fingerprint"]), "job": dict(state["job"])}
        except (TypeError, KeyError, ValueError):
            pass
        expected = f"expected the state of an unfinished run, version {VERSION}"
        raise BPRError(f"{self._state_file}: {expected}, got another; delete {self.path}")

    def token(self) -> bytes:
        """A text that tells this folder from one of the same name on another disk; empty if no run has begun here."""
        return str(self.state().get("token")).encode() if self._state_file.exists() else b""

    def check(self, fingerprint: Mapping[str, Any]) -> None:
        """Raise a BPRError if an entry of ``fingerprint`` differs from that of the run that began here."""
        began = self.state()["fingerprint"]
        other = [name for name, value in fingerprint.items() if began.get(name) != value]
        if other:
            problem = f"the run in {self.path} began with other {', '.join(other)}"
            raise BPRError(f"{self.out}: {problem}; use the same, or delete that folder")

    def shard_counts(self) -> set[int]:
        """The N of all journals of shards I/N, except 1/1."""
        counts = {path.stem.rpartition("-of-")[2] for path in self._journals() if not path.stem.startswith("rank")}
        return {int(count) for count in counts if count.isdigit()} - {1}

    def remove(self) -> None:
        """Delete the folder, and temporary files that a kill left while the result was written."""
        for path in self.out.parent.glob(f".{escape(self.out.name)}.{'?' * 8}"):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        shutil.rmtree(self.path)

    def _journals(self) -> Sequence[Path]:
        return sorted(self.path.glob("*.journal"))

    def _journal_path(self, worker: Worker) -> Path:
        return self.path / f"{worker.journal_name}.journal"


def _from_version_1(state: dict[str, Any]) -> dict[str, Any]:
    """The state that bpr 0.2.0 wrote, in today's names, so that its shards can still be merged."""
    job, fingerprint = dict(state["arguments"]), dict(state["fingerprint"])
    job["images"] = job.pop("img_dir")
    fingerprint["ann"] = fingerprint.pop("annotations")
    return {**state, "version": VERSION, "job": job, "fingerprint": fingerprint}


def _lock(file: IO[Any] | Journal, alone: bool, refusal: str) -> None:
    """Lock a file until it is closed or its process dies; raise a BPRError (``refusal``) if another one holds it."""
    if fcntl is None:
        return
    try:
        fcntl.flock(file, (fcntl.LOCK_EX if alone else fcntl.LOCK_SH) | fcntl.LOCK_NB)
    except BlockingIOError:
        raise BPRError(refusal) from None
    except OSError:  # some file systems of clusters have no locks: better unguarded than not at all
        return
