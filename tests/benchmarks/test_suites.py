"""Suites and studies, on inputs so small that only their bookkeeping is tested."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks.inputs import Photo, Workload, exported_network, street_scene, write_street_scenes
from benchmarks.measuring import report_table, suite_report
from benchmarks.studies import gpu, presets
from benchmarks.suites import forward, memory
from bpr.backends import load_predictor
from bpr.formats.coco import read_results
from bpr.io.files import read_json
from bpr.refinement.predictor import IdentityPredictor, PatchBatch

SMALL = (160, 240)


@pytest.fixture
def photos(tmp_path: Path) -> list[Photo]:
    results = write_street_scenes(tmp_path, [street_scene(1, instances=3, frame=SMALL, size=25)])
    return [Photo(tmp_path / "0.png", read_results(results))]


def test_a_workload_repeats_its_photos_as_images_of_their_own(photos: list[Photo], tmp_path: Path) -> None:
    load = Workload.of(photos, 3, tmp_path)
    load.refine(IdentityPredictor())
    before, after = read_results(load.results), read_results(load.results.with_suffix(".refined.json"))
    assert after == before
    assert [record["image_id"] for record in before] == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert {load.path(number) for number in range(3)} == {photos[0].file}


def test_forward_compares_the_same_patches(
    photos: list[Photo], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forward, "SECONDS", 1e-9)
    asked = []
    predictor = IdentityPredictor(batch_size=16)
    monkeypatch.setattr(
        predictor, "predict", lambda batch: asked.append(len(batch)) or np.zeros((len(batch), 64, 64), np.float32)
    )
    alone, whole = forward.compare("small", predictor, photos, tmp_path)
    assert "| small, refine |" in report_table(suite_report("forward", [alone, whole], []))
    once = round(alone["patches"] * alone["images"])
    # The batch that finds out how many images it takes, twice; what is recorded; warm-up and rounds of either side; the
    # passes whose processor time is taken.
    assert sum(asked[2:]) == once * (1 + 2 * (1 + forward.REPEATS) + 1)
    assert whole["over forward"] > 0
    assert whole["floor"] >= 1


def test_memory_is_that_of_a_process_which_refines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "MODEL", "identity")
    assert memory.run(tmp_path, 2)["peak_mib"] > 20
    assert len(read_results(tmp_path / "refined.json")) == 2


def test_the_gpu_script_adds_up_on_the_cpu(
    photos: list[Photo], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = {
        "BATCH": 2,
        "IMAGES": 1,
        "MATRIX": 32,
        "COPY_BYTES": 1024,
        "REPEATS": 1,
        "NETWORKS": ("mobilenet-v2-detail_1xb32-1500_any-mask-64x64",),
        "PROCESSES": (1,),
    }
    for name, value in small.items():
        monkeypatch.setattr(gpu, name, value)
    monkeypatch.setattr(gpu, "street_photos", lambda folder: photos)
    assert gpu.main(["--device", "cpu", "--out", str(tmp_path / "gpu.json")]) == 0
    report = read_json(tmp_path / "gpu.json", "the report")
    (row,) = report["rows"]
    assert min(row["patches_per_second"], row["images_per_second"], row["images_per_second_on_card"]) > 0
    assert [(one["processes"], one["on_card"]) for one in report["together"]] == [(1, False), (1, True)]
    assert row["of bandwidth"] > 0
    assert set(row["milliseconds"]) == {"extraction", "network", "reassembly"}


@pytest.mark.parametrize("model", ["starter", "starter-fast"])
def test_a_network_in_torch_answers_as_its_file(model: str) -> None:
    packaged = load_predictor(model, backend="onnxruntime")
    shape = (2, packaged.spec.window, packaged.spec.window, packaged.spec.channels)
    patches = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    found = exported_network(model).probabilities(torch.from_numpy(patches)).detach().numpy()
    assert np.abs(found - packaged.predict(PatchBatch(patches, np.zeros((2, 4), np.int32), []))).max() < 1e-4


def test_the_front_holds_what_nothing_beats() -> None:
    points = {"fast": (1.0, 0.10), "slower and worse": (2.0, 0.09), "as good, slower": (1.5, 0.10), "good": (3.0, 0.2)}
    rows = [{"name": name, "seconds": {"median": seconds}, "gain": gain} for name, (seconds, gain) in points.items()]
    assert [row["name"] for row in rows if presets.is_on_front(row, rows)] == ["fast", "good"]
