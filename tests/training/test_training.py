"""extract -> train -> (kill ->) resume -> export -> refine, at toy size."""

from __future__ import annotations

import hashlib
import json
import signal
import time
from importlib import metadata
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from mmengine.config import Config
from mmengine.fileio import get_file_backend

from bpr.backends.onnx_runtime import OnnxPredictor
from bpr.cli.main import main
from bpr.refinement.predictor import PatchBatch
from bpr.training.data.patch_store import PatchStore
from bpr.training.torch_predictor import MMSegPredictor
from tests.conftest import ROOT, SmallSet
from tests.training.toy_runs import TOY, arguments, extract, losses, start, weights


def train(store: Path, work_dir: Path, iterations: int, *more: str, config: str = TOY) -> int:
    return main(["train", *arguments(config, store, work_dir, iterations), *more])


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[SmallSet, Path, Path]:
    folder = tmp_path_factory.mktemp("training")
    data, store, work_dir = SmallSet(folder / "set"), folder / "store", folder / "work"
    extract(data, store, TOY)
    assert train(store, work_dir, 2) == 0
    return data, store, work_dir


def test_training_writes_checkpoints_that_hold_nothing_but_plain_values(trained: tuple[SmallSet, Path, Path]) -> None:
    checkpoint = torch.load(trained[2] / "iter_2.pth", weights_only=True)
    assert checkpoint["meta"]["iter"] == 2
    assert "backbone.conv_mask.weight" in checkpoint["state_dict"]
    assert {"optimizer", "param_schedulers", "ema_state_dict"} <= checkpoint.keys()


def test_training_resumes_where_it_stopped(trained: tuple[SmallSet, Path, Path], capfd: pytest.CaptureFixture[str]) -> None:
    _, store, work_dir = trained
    assert train(store, work_dir, 4, "--resume") == 0
    assert "resumed epoch: 0, iter: 2" in "".join(capfd.readouterr())
    assert torch.load(work_dir / "iter_4.pth", weights_only=True)["meta"]["iter"] == 4


def test_a_killed_training_goes_on_as_if_nothing_had_happened(trained: tuple[SmallSet, Path, Path], tmp_path: Path) -> None:
    """The same patches in the same order, augmented the same way, from where the last checkpoint was written."""
    killed, undisturbed, worker = tmp_path / "killed", tmp_path / "undisturbed", "train_dataloader.num_workers=1"
    process = start(arguments(TOY, trained[1], killed, 8, worker))
    while process.poll() is None and not (killed / "last_checkpoint").is_file():
        time.sleep(0.02)
    process.kill()
    assert process.wait() == -signal.SIGKILL
    assert not (killed / "iter_8.pth").exists()
    assert main(["train", *arguments(TOY, trained[1], killed, 8, worker), "--resume"]) == 0
    assert main(["train", *arguments(TOY, trained[1], undisturbed, 8, worker)]) == 0
    # Loaded tensors may lie elsewhere in memory and be summed in another order; another batch would differ by a hundredth.
    assert losses(killed) == pytest.approx(losses(undisturbed), rel=2e-3)
    assert list(losses(killed)) == [1, 2, 3, 4, 5, 6, 7, 8]
    resumed, wanted = weights(killed / "iter_8.pth"), weights(undisturbed / "iter_8.pth")
    assert torch.linalg.norm(resumed - wanted) < 0.01 * torch.linalg.norm(wanted)


def test_a_checkpoint_is_there_whole_or_not_at_all(tmp_path: Path) -> None:
    backend = get_file_backend(backend_args=dict(Config.fromfile(TOY).default_hooks.checkpoint.backend_args))
    checkpoint = tmp_path / "iter_2.pth"
    backend.put(b"whole", checkpoint)
    with pytest.raises(TypeError):
        backend.put("what cannot be written", checkpoint)
    assert [path.name for path in tmp_path.iterdir()] == ["iter_2.pth"]
    assert checkpoint.read_bytes() == b"whole"


def test_training_in_bfloat16(trained: tuple[SmallSet, Path, Path], tmp_path: Path) -> None:
    _, store, work_dir = trained
    assert train(store, tmp_path, 2, "--amp") == 0
    half, full = losses(tmp_path), losses(work_dir)
    assert half == pytest.approx({step: full[step] for step in (1, 2)}, rel=0.05)
    assert half[1] != full[1]


def test_tensorboard_reads_the_log(trained: tuple[SmallSet, Path, Path]) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(min(trained[2].glob("*/vis_data"))))
    events.Reload()
    assert [event.step for event in events.Scalars("loss")] == [1, 2]


@pytest.mark.parametrize("dataset", ["cityscapes", "coco"])
def test_the_papers_configs_train(dataset: str, tmp_path: Path) -> None:
    """Their input is twice the patch: image, mask and truth are resized on the way in."""
    data, config = SmallSet(tmp_path / "set"), str(ROOT / "configs" / f"bpr_hrnet-w18s_4xb8-160k_{dataset}-128x128.py")
    extract(data, tmp_path / "store", config)
    assert train(tmp_path / "store", tmp_path / "work", 1, config=config) == 0
    assert (tmp_path / "work" / "iter_1.pth").is_file()


def test_the_exported_file_equals_the_network(
    trained: tuple[SmallSet, Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, store, work_dir = trained
    exported = tmp_path / "model.onnx"
    assert main(["export", TOY, str(work_dir / "iter_2.pth"), "--out", str(exported), "--trained-on", "disks"]) == 0
    check_what_the_file_says(exported, work_dir / "iter_2.pth", capsys.readouterr().out)
    onnx, mmseg = OnnxPredictor(exported), MMSegPredictor(work_dir / "iter_2.pth")
    assert (onnx.spec, onnx.recommended) == (mmseg.spec, mmseg.recommended)
    assert str(tmp_path).encode() not in exported.read_bytes()
    assert str(ROOT).encode() not in exported.read_bytes()
    batch = PatchBatch(np.array(PatchStore(store).patches[:3]), np.zeros((3, 4), np.int32), [])
    assert np.abs(onnx.predict(batch) - mmseg.predict(batch)).max() < 2e-3  # weights are stored in half precision
    for model in (exported, work_dir / "iter_2.pth"):
        files = [str(data.results), "--img-dir", str(data.images), "--out", str(tmp_path / "out.json")]
        assert main(["refine", *files, "--model", str(model)]) == 0


def check_what_the_file_says(exported: Path, checkpoint: Path, printed: str) -> None:
    """All that a reader needs to know, in the file itself."""
    properties = onnxruntime.InferenceSession(exported).get_modelmeta().custom_metadata_map
    assert properties.keys() == {"bpr"}
    said = json.loads(properties["bpr"])
    assert said["preprocessing"] == {
        "inputs": ["rgb", "mask", "evidence"],
        "mean": [123.675, 116.28, 103.53, 127.5, 128.0],
        "std": [58.395, 57.12, 57.375, 127.5, 127.0],
    }
    assert (said["input_side"], said["scheme"]["side"], said["scheme"]["padding"]) == (64, 64, 0)
    origin = said["provenance"]
    assert (origin["config"], origin["checkpoint"], origin["trained_on"]) == (Path(TOY).name, checkpoint.name, "disks")
    assert origin["checkpoint_sha256"] == hashlib.sha256(checkpoint.read_bytes()).hexdigest()
    assert origin["versions"]["torch"] == metadata.version("torch")
    assert said["parity"]["graph"] < 1e-5  # float32 sums in another order
    assert said["parity"]["graph"] < said["parity"]["stored"] < 5e-3  # half precision moves a weight by 1 part in 2048
    parity = f"{said['parity']['graph']:.1e}; with weights in half precision {said['parity']['stored']:.1e}\n"
    assert parity in printed
    # The config names stores of its own, which are not here.
    assert printed.endswith("no finished patch store (manifest.json is missing); build it with bpr extract-patches\n")


def test_a_store_cut_otherwise_is_refused(trained: tuple[SmallSet, Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = trained[0]
    store = tmp_path / "other"
    files = [str(data.results), "--ann", str(data.ann), "--img-dir", str(data.images), "--out", str(store)]
    config = tmp_path / "larger.py"
    config.write_text("refinement = dict(patch=dict(side=48), train=dict())")
    assert main(["extract-patches", *files, "--config", str(config)]) == 0
    assert train(store, tmp_path / "work", 1) == 1
    error = [line for line in capsys.readouterr().err.splitlines() if line.startswith("bpr train:")]
    assert len(error) == 1
    assert "the store was cut with {'side': 48" in error[0]
    assert "the config expects {'side': 64" in error[0]


WOULD_CALL_OS_SYSTEM = b"cos\nsystem\n."


@pytest.mark.parametrize("content", [b"", b"text", WOULD_CALL_OS_SYSTEM])
def test_a_checkpoint_that_is_none_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes) -> None:
    checkpoint = tmp_path / "bad.pth"
    checkpoint.write_bytes(content)
    assert main(["export", TOY, str(checkpoint), "--out", str(tmp_path / "x.onnx")]) == 1
    assert "not a checkpoint of plain tensors" in capsys.readouterr().err
