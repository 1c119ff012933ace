"""The folder ``.OUT.run`` beside an output: all that a run which is not finished needs to go on.

run.json     what decides the result (the fingerprint), and what is needed to write it
*.journal    of every worker: what it has finished (bpr.refinement.sharing.journal)
lock         held while somebody works here; the system lets go of it when its holder dies
"""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from glob import escape
from pathlib import Path
from typing import IO, Any

from bpr.errors import BPRError
from bpr.io.files import read_json, write_json
from bpr.refinement.sharing.journal import Finished, Journal, journals_in
from bpr.refinement.sharing.worklist import Worker

try:
    import fcntl
except ImportError:  # a system without them goes without locks
    fcntl = None  # type: ignore[assignment]

VERSION = 1
TOKEN = 16
"""Characters that tell this folder from another of its name, on another machine's disk."""


class RunFolder:
    """Of the run that writes ``out``."""

    def __init__(self, out: Path) -> None:
        self.out = out
        self.path = out.parent / f".{out.name}.run"

    @contextmanager
    def joined(self, worker: Worker, about: Mapping[str, Any], resume: bool) -> Iterator[None]:
        """Work here, as the only one or beside others of the same run; a rank that does not lead joins the leader's.

        Args:
            about: ``fingerprint``: what must agree, by name; and whatever else :meth:`about` shall give back.
            resume: go on with what is there.

        Raises:
            BPRError: another run is at work here, left something and ``resume`` is not given, or was another one.
        """
        if worker.rank and not worker.leads:
            yield
            return
        with self.locked(worker.leads):
            if self._unfinished(worker) and not resume:
                raise BPRError(f"{self.out}: an unfinished run lies in {self.path}; go on with it by --resume, or delete that folder")
            if self._file.exists():
                self.check(about["fingerprint"])
            else:
                write_json(self._file, {"version": VERSION, "token": secrets.token_hex(TOKEN // 2), **about}, indent=1)
            yield

    @contextmanager
    def locked(self, alone: bool) -> Iterator[None]:
        """Keep others out: all of them, or those who need to be alone."""
        with self._lock_file() as file:
            _lock(file, alone, f"{self.out}: another run is writing it (it holds {file.name}); wait for it, or choose another output")
            yield

    def _lock_file(self) -> IO[str]:
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            return open(self.path / "lock", "w")
        except OSError as error:
            raise BPRError(f"{self.out}: cannot write there ({error.strerror}); choose another output") from error

    @contextmanager
    def journal(self, worker: Worker) -> Iterator[Journal]:
        """The worker's own, to append to."""
        journal = Journal(self._journal_of(worker))
        try:
            _lock(journal, True, f"{self.out}: {worker.number} of {worker.count} is already at work on it; wait for it to end")
            yield journal
        finally:
            journal.close()

    def finished(self, records: int, worker: Worker | None = None) -> Finished:
        """What all journals hold, or those of one worker."""
        return Finished(journals_in(self.path) if worker is None else [self._journal_of(worker)], records)

    def about(self) -> dict[str, Any]:
        """What :meth:`joined` was told when the run began.

        Raises:
            BPRError: there is no such run.
        """
        if not self._file.exists():
            raise BPRError(f"{self.out}: expected an unfinished run in {self.path}, got none; bpr refine --shard begins one")
        about = read_json(self._file, "the state of an unfinished run")
        if not isinstance(about, dict) or about.get("version") != VERSION or not isinstance(about.get("fingerprint"), dict):
            raise BPRError(f"{self._file}: expected the state of an unfinished run, version {VERSION}, got another; delete {self.path}")
        return about

    def token(self) -> bytes:
        """Tells this folder from any other; of one that is not there, nothing."""
        return str(self.about().get("token")).encode() if self._file.exists() else b""

    def check(self, fingerprint: Mapping[str, Any]) -> None:
        """Raise a BPRError unless the run that began here has this fingerprint, or in what is given of it the same."""
        began = self.about()["fingerprint"]
        other = [name for name, value in fingerprint.items() if began.get(name) != value]
        if other:
            raise BPRError(f"{self.out}: the run in {self.path} began with other {', '.join(other)}; say the same, or delete that folder")

    def shard_counts(self) -> set[int]:
        """Into how many shards the run was cut, as the names of its journals say."""
        counts = {path.stem.rpartition("-of-")[2] for path in journals_in(self.path) if not path.stem.startswith("rank")}
        return {int(count) for count in counts if count.isdigit()} - {1}

    def remove(self) -> None:
        """The result is written: nothing of this is needed any more, nor what a kill left of an earlier writing."""
        for path in self.out.parent.glob(f".{escape(self.out.name)}.{'?' * 8}"):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        shutil.rmtree(self.path)

    @property
    def _file(self) -> Path:
        return self.path / "run.json"

    def _journal_of(self, worker: Worker) -> Path:
        return self.path / f"{'rank' if worker.rank else 'shard'}-{worker.number}-of-{worker.count}.journal"

    def _unfinished(self, worker: Worker) -> bool:
        """Whether somebody has begun what this worker is about to begin; shards may join each other."""
        return self._file.exists() if worker.leads else self._journal_of(worker).exists()


def _lock(file: IO[Any] | Journal, alone: bool, refusal: str) -> None:
    """Held until the file is closed, by its process or by the death of it."""
    if fcntl is None:
        return
    try:
        fcntl.flock(file, (fcntl.LOCK_EX if alone else fcntl.LOCK_SH) | fcntl.LOCK_NB)
    except BlockingIOError:
        raise BPRError(refusal) from None
    except OSError:  # a file system without locks, as some of clusters are: better unguarded than not at all
        return
