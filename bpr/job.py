"""Refine from file to file: the work of ``bpr refine``, ``bpr merge`` and :func:`bpr.refine_file`."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, fields
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np

from bpr.backends import load_refiner, refiner_of
from bpr.backends.registry import AUTO
from bpr.errors import BadImage, BadUsage, BPRError, shown, warn_caller
from bpr.formats.coco import Record, read_annotations, read_heading
from bpr.formats.polygons import PolygonWriter
from bpr.formats.recognise import open_source
from bpr.formats.registry import FORMATS
from bpr.formats.source import Source
from bpr.geometry.options import to_dict
from bpr.io.files import check_writable, digest_of
from bpr.io.folders import check_outside, check_replaceable, would_replace
from bpr.io.image_finder import ImageFinder, ImageFolder, OneImage
from bpr.raster.places import check_options
from bpr.refinement.alpha_files import AlphaFiles, check_place
from bpr.refinement.batching import CutImage
from bpr.refinement.choice import CROWD_CHOICES, Choice, chosen_classes, chosen_ids
from bpr.refinement.grouping import RecordsByImage, group_by_image
from bpr.refinement.outcome import RunReport, StageClock
from bpr.refinement.pipeline import DEFAULT_WORKERS
from bpr.refinement.pooling import pooled, sample_of
from bpr.refinement.predictor import OraclePredictor
from bpr.refinement.refiner import Refiner
from bpr.refinement.runner import ImageRecords, cut_image, refine_images
from bpr.refinement.sharing.journal import JournalIndex
from bpr.refinement.sharing.run_folder import RunFolder
from bpr.refinement.sharing.shared_run import SharedRun, check_complete
from bpr.refinement.sharing.workers import Shard, Worker
from bpr.version import __version__

NOT_COMPARED = ("out", "workers", "strict")
"""Fields that do not change the result. All other fields must agree with those of a run that is resumed."""


class Unfinished(BPRError):
    """A run ended early. Finished images are kept: run the same job again with ``resume=True``.

    Attributes:
        why: the reason, and how much is done.
    """

    def __init__(self, out: str | Path, why: str) -> None:
        super().__init__(f"{out}: {why}; finished images are kept; continue with resume=True")
        self.out, self.why = out, why

    def __reduce__(self) -> tuple[Any, ...]:
        return Unfinished, (self.out, self.why)


@dataclass(frozen=True)
class RefineJob:
    """The refinement of one file or folder of masks.

    >>> job = RefineJob("results.segm.json", "refined.segm.json", images="images", model="starter-fast")
    >>> report = job.run(resume=True)    # doctest: +SKIP
    >>> report.summary                   # doctest: +SKIP
    '405 of 405 records refined; could not be refined: none'

    Attributes:
        results: masks of any format: a JSON or XML file, a PNG or a folder.
        out: the file or folder to write, in the format of the masks.
        images: the folder of the images, or the one image; None: where the format names them.
        ann: a COCO file whose images list names the image files; without it an image's id is the stem of its file.
        format: the format of the masks; None: recognise it by their content.
        model: a model name, a ``.onnx`` or ``.pth`` file, ``identity``, or ``oracle``; None: the default model.
        config: the config of a ``.pth`` model; None: the one in its folder.
        backend: the backend that runs the network.
        preset: a bundle of model, backend and budget, instead of these.
        options: how to refine, by the names that :func:`bpr.load` takes; None leaves the model's.
        min_score: keep records with a lower score unchanged; None: refine all.
        only: names or ids of the classes to refine; empty: all. Records of other classes are kept unchanged.
        ids: a file of the ids of the records to refine, one on a line; None: all. The id of a record is its ``id``, or
            its position in the file, counted from 0, where it has none. Other records are kept unchanged.
        crowds: what to do with the crowds of an annotation file: ``keep`` them unchanged, or ``refine`` them as if each
            was a single object, for tools that flag single masks as crowds.
        polygons: write polygons, with this tolerance in pixels (0: exact) or, with True, with the default tolerance.
            None: masks that came as polygons are written as polygons at the default tolerance, RLEs as RLEs.
        soft: also write soft edges: the alpha of every chosen mask as an 8-bit PNG, above half of 255 where the refined
            mask is. A folder, or for a single mask a picture
            (:class:`~bpr.refinement.alpha_files.AlphaFiles` names the files).
        trimap: write a trimap of every alpha (0, 128 for unknown, 255), to a folder or a picture.
        strict: the run fails if any record could not be refined (:attr:`RunReport.failed`).
        workers: threads that read, cut and put back; the result does not depend on their number.

    """

    results: str | Path
    out: str | Path
    images: str | Path | None = None
    ann: str | Path | None = None
    format: str | None = None
    model: str | Path | None = None
    config: str | Path | None = None
    backend: str = AUTO
    preset: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    min_score: float | None = None
    only: str | Sequence[Any] = ()
    ids: str | Path | None = None
    crowds: Literal["keep", "refine"] = "keep"
    polygons: float | bool | None = None
    soft: str | Path | None = None
    trimap: str | Path | None = None
    strict: bool = False
    workers: int = DEFAULT_WORKERS

    @classmethod
    def of(cls, out: str | Path) -> RefineJob:
        """The job of the unfinished run that writes ``out``.

        Raises:
            BPRError: there is no unfinished run, or its job has other fields than this class.
        """
        values = RunFolder(Path(out)).state()["job"]
        try:
            return cls(out=out, **values)
        except TypeError as error:
            expected = f"expected a job of this version, got another ({error})"
            raise BPRError(f"{out}: {expected}; finish the run with the version that began it") from error

    def run(
        self,
        worker: Worker | None = None,
        *,
        resume: bool = False,
        on_progress: Callable[[int], None] = lambda done: None,
        stopped: Callable[[], bool] = lambda: False,
    ) -> RunReport:
        """Refine, and write the result.

        Args:
            worker: this process's part of the work (:mod:`bpr.refinement.sharing`); default: all of it.
            resume: continue an unfinished run of the same job.
            on_progress: called with the number of records that are done.
            stopped: once it returns True, the run ends early.

        Returns:
            The report of the whole run; of a worker that is not the leader, the report of its part.

        Raises:
            Unfinished: ``stopped`` returned True, or the disk is full or fails.
            BPRError: an input cannot be read, the output cannot be written there, or there is an unfinished run with
                this output.
        """
        with self.begin(worker, resume=resume) as run:
            for assumption in run.assumptions:
                warn_caller(assumption)
            return run.finish(on_progress, stopped)

    @contextmanager
    def begin(self, worker: Worker | None = None, *, resume: bool = False) -> Iterator[Run]:
        """Read and check the inputs, load the model, and join the run; :meth:`Run.finish` does the work.

        Raises:
            BPRError: as for :meth:`run`.
        """
        worker = worker or Shard()
        # The oracle needs all of the annotations, which in large data sets are gigabytes.
        read = read_annotations if self.model == "oracle" else read_heading
        annotations = read(self.ann) if self.ann else {}
        source, find_images, choice = self._open(annotations)
        by_image, images = group_by_image(source.records, choice), find_images()
        if isinstance(images, OneImage) and len(by_image) > 1:
            expected = f"expected the folder of {len(by_image)} images, which the results name"
            raise BPRError(f"--img-dir {self.images}: {expected}, got one image")
        refiner, row = self._load(source.records, annotations), FORMATS[source.format]
        if row.by_window:
            check_options(refiner.predictor.spec, refiner.options, refiner.pixels)
            if self.soft_outputs():
                wanted = "expected masks that are not refined by windows"
                raise BPRError(f"--{next(iter(self.soft_outputs()))}: {wanted}, got {source.format}; leave it out")
            refiner = pooled(refiner, self._sample(source, by_image, images))
        for name, place in self.soft_outputs().items():
            check_place(f"--{name}", place, len(by_image.indices))
        folder = RunFolder(Path(self.out))
        refine = partial(
            refine_images,
            source.records,
            images=images,
            refiner=refiner,
            workers=self.workers,
            exclusive=row.exclusive and not row.by_window,
            claims=row.exclusive and row.by_window,
            alphas=AlphaFiles(folder.alphas) if self.soft_outputs() else None,
        )
        shared = SharedRun(folder, worker, by_image, refine)
        state: dict[str, Any] = {}
        if worker.role != "follower":
            state = {"fingerprint": self.fingerprint(refiner), "job": self._to_dict()}
        with shared.folder.joined(worker, state, resume):
            assumptions = self._assumptions(source, images, by_image)
            one_photo = isinstance(images, OneImage)
            yield Run(self, source, shared, shared.images_done_before(), assumptions, _backend(refiner), choice, one_photo)

    def merge(self) -> RunReport:
        """Write the result of a run whose shards are finished.

        Raises:
            BPRError: an image is not finished, another process is at work, or an input has changed since the run began.
        """
        clock, folder = StageClock(), RunFolder(Path(self.out))
        folder.state()  # before the lock, which would make the folder
        with folder.locked(alone=True):
            given = {"results": self.results, "ann": self.ann} | ({"ids": self.ids} if self.ids else {})
            folder.check({name: path and digest_of(path) for name, path in given.items()})
            source, _, choice = self._open(read_heading(self.ann) if self.ann else {})
            by_image = group_by_image(source.records, choice)
            journals = folder.read_journals(by_image.records)
            write_merged(folder, by_image, journals, source, clock, self.soft_outputs())
        report = self.completed(journals.report(by_image, clock), source, choice)
        report.notes += source.polygons.notes
        return report

    def fingerprint(self, refiner: Refiner) -> dict[str, Any]:
        """Everything that decides the result, by name, in values of JSON. All workers of a run must agree on it.

        It consists of all fields except NOT_COMPARED, so that a new field is compared by default. Digests stand for the
        content of files; ``backend`` and ``options`` are those that ``refiner`` really uses.
        """
        values = {each.name: getattr(self, each.name) for each in fields(self) if each.name not in NOT_COMPARED}
        for name, path in self._inputs().items():  # to read all images would take too long: only their path is compared
            values[name] = os.path.abspath(path) if name == "images" else digest_of(path)
        options = to_dict(refiner.predictor.spec, refiner.options) | asdict(refiner.pixels)
        values |= {"version": __version__, "backend": _backend(refiner), "options": options}
        return dict(json.loads(json.dumps(values, default=str)))

    def _to_dict(self) -> dict[str, Any]:
        """All fields but ``out``, in values of JSON. Paths are absolute: a merge may start in another folder."""
        values = {each.name: getattr(self, each.name) for each in fields(self) if each.name != "out"}
        files = {**self._inputs(), **self.soft_outputs()}
        values |= {name: os.path.abspath(path) for name, path in files.items()}
        values["options"] = {name: value for name, value in self.options.items() if value is not None}
        return dict(json.loads(json.dumps(values, default=str)))

    def soft_outputs(self) -> dict[str, Path]:
        """Where the soft edges go, by field."""
        return {name: Path(path) for name, path in (("soft", self.soft), ("trimap", self.trimap)) if path}

    def _inputs(self) -> dict[str, str | Path]:
        """The files and folders that the job reads, by field. A model or config that is not a file is a name."""
        paths = {"results": self.results, "images": self.images, "ann": self.ann, "ids": self.ids}
        files = {"model": self.model, "config": self.config}
        paths |= {name: path for name, path in files.items() if path and os.path.isfile(path)}
        return {name: path for name, path in paths.items() if path}

    def _open(self, heading: dict[str, Any]) -> tuple[Source, Callable[[], ImageFinder], Choice]:
        """The masks, access to their images, and which records are to be refined. The output and the options are
        checked against the format.

        Args:
            heading: of the annotations; empty without them.

        Raises:
            BPRError: an input cannot be read, an option does not fit it, or a class or an id is not in the masks.
        """
        if self.crowds not in CROWD_CHOICES:
            raise BPRError(f"crowds: expected {' or '.join(CROWD_CHOICES)}, got {shown(self.crowds)}")
        crowds = self.crowds == "refine"
        source, find_images = open_source(
            self.results, self.format, self.images, heading.get("images"), crowds, windows=True
        )
        source.polygons = PolygonWriter(self.polygons)
        source.polygons.check(FORMATS[source.format].polygons, source.format)
        self._check_output(source)
        categories = source.categories or heading.get("categories") or ()
        classes = chosen_classes(self.only, categories, source.records) if self.only else None
        ids = chosen_ids(self.ids, source.records) if self.ids else None
        return source, find_images, Choice(self.min_score, classes, ids)

    def completed(self, report: RunReport, source: Source, choice: Choice) -> RunReport:
        """``report`` with what this job knows about its input."""
        report.strict, report.skipped_by = self.strict, choice.options
        report.notes = [*source.left_out_lines, *report.remark_lines]
        report.unread = sum(map(len, source.left_out.values()))
        return report

    def _check_output(self, source: Source) -> None:
        """Raise a BPRError if the result could not be written, or would replace an input."""
        out = Path(self.out)
        folder = source.folder(out)
        for path in self._inputs().values():
            if would_replace(out, path) or (folder and would_replace(folder, path)):
                problem = f"expected an output that is not an input, got {path}, which would be overwritten"
                raise BPRError(f"{out}: {problem}; choose another output")
        check_outside(out, self.results)
        taken = {os.path.realpath(out): "--out", **{os.path.realpath(path): path for path in self._inputs().values()}}
        for name, place in self.soft_outputs().items():
            if (other := taken.setdefault(os.path.realpath(place), name)) != name:
                raise BPRError(f"--{name}: expected a place of its own, got {place}, which is {other}; choose another output")
        if folder:
            check_replaceable(folder, "bpr refine")
        else:
            check_writable(out)

    def _load(self, records: Sequence[Record], annotations: dict[str, Any]) -> Refiner:
        if self.model != "oracle" or self.preset:
            return load_refiner(self.model, self.config, self.backend, self.preset, **self.options)
        if not annotations.get("annotations"):
            raise BadUsage("--model oracle: expected the ground truth in --ann, got none")
        from bpr.evaluation.matching import GroundTruth  # loads pycocotools, which only the oracle needs

        matches = enumerate(GroundTruth(annotations).matches(records))
        oracle = OraclePredictor({index: truth for index, (truth, _) in matches if truth is not None})
        return refiner_of(oracle, self.options)

    def _sample(
        self, source: Source, by_image: RecordsByImage, images: ImageFinder
    ) -> Iterator[Callable[[Refiner], CutImage[ImageRecords]]]:
        """What cuts the instances by which the verdict knows the maker of all masks of a raster."""
        for index in sample_of(by_image.indices, source.ranks[by_image.indices]):
            group = ImageRecords([index], [source.records[index]])
            yield partial(cut_image, group, images, exclusive=False, clock=StageClock())

    def _assumptions(self, source: Source, images: ImageFinder, by_image: RecordsByImage) -> list[str]:
        """One line per assumption that, if it is wrong, would refine the wrong data without an error."""
        lines = list(source.notes)
        if FORMATS[source.format].guessed and not self.format:
            lines.append(f"format: {source.format}, by the numbers in the PNGs; --format says which")
        if not len(by_image) or not isinstance(images, ImageFolder) or FORMATS[source.format].ids_are_stems:
            return lines
        image_id = source.records[by_image[0][0]]["image_id"]
        if images.images is None:
            with suppress(BadImage):  # the report will name the problem
                path = images.path(image_id)
                lines.append(f"images: by their ids, {shown(image_id)} is {path.name}; --ann can name the files")
        elif (entry := images.images.find(image_id)) and entry["id"] != image_id:
            lines.append(f"images: {shown(image_id)} is not listed and is taken for {shown(entry['id'])}")
        return lines


@dataclass(frozen=True)
class Run:
    """A job that has begun: its inputs are read, its model is loaded and its folder is locked.

    Attributes:
        done: (I,) bool: the images that were finished before the run was resumed.
        assumptions: one line for each assumption about something that the job does not state.
        backend: the backend that runs the network; None if there is no network.
        choice: which records are to be refined.
        one_photo: a photo was named instead of a folder.
    """

    job: RefineJob
    source: Source
    shared: SharedRun
    done: np.ndarray
    assumptions: Sequence[str]
    backend: str | None
    choice: Choice
    one_photo: bool

    @property
    def records(self) -> int:
        """How many records are to be refined."""
        return len(self.shared.by_image.indices)

    @property
    def images(self) -> int:
        """How many images they are on."""
        return len(self.shared.by_image)

    def finish(
        self,
        on_progress: Callable[[int], None],
        stopped: Callable[[], bool],
        on_patches: Callable[[int, int], None] = lambda predicted, cut: None,
    ) -> RunReport:
        """Refine this worker's part and, as the leader, write the result; other arguments as for :meth:`RefineJob.run`.

        Args:
            on_patches: called with the number of patches that the network has done, and that are cut by then.

        Raises:
            Unfinished: ``stopped`` returned True, or the disk is full or fails.
            BPRError: no mask fits the one photo; nothing is written.
        """
        shared, role = self.shared, self.shared.worker.role
        shared.clock.on_patches = on_patches
        try:
            journals = shared.work(self.done, on_progress, stopped)
            report = self.job.completed(journals.report(shared.by_image, shared.clock), self.source, self.choice)
            report.backend = self.backend
            if stopped() and role != "follower":
                done = f"{report.images} of {len(shared.by_image)} images are done"
                raise Unfinished(self.job.out, f"interrupted; {done}")
            if role == "leader":
                if self.one_photo and not report.refined and report.failed and report.reason:
                    shared.folder.remove()
                    raise BPRError(f"{self.job.results}: {report.reason}; nothing was written")
                soft = self.job.soft_outputs()
                write_merged(shared.folder, shared.by_image, journals, self.source, shared.clock, soft)
                report.notes += self.source.polygons.notes
            return report
        except (OSError, BPRError) as error:
            cause = error if isinstance(error, OSError) else error.__cause__
            if not isinstance(cause, OSError):
                raise
            file = f" ({cause.filename})" if cause.filename else ""
            raise Unfinished(self.job.out, f"cannot write{file}: {cause.strerror}") from error


def write_merged(
    folder: RunFolder,
    by_image: RecordsByImage,
    journals: JournalIndex,
    source: Source,
    clock: StageClock,
    soft: Mapping[str, Path],
) -> None:
    """Write the output from the journals of a finished run, and delete the folder of the run.

    Args:
        soft: where the soft edges go, from :meth:`RefineJob.soft_outputs`.

    Raises:
        BPRError: an image is not finished.
    """
    check_complete(folder, by_image, journals)
    with clock.stage("write"):
        for name, place in soft.items():
            AlphaFiles(folder.alphas).write(place, as_trimaps=name == "trimap")
        source.write(journals.merged(source.records), folder.out)
    folder.remove()


def _backend(refiner: Refiner) -> str | None:
    """The backend that runs the network; None for identity and oracle."""
    return getattr(refiner.predictor, "backend", None)
