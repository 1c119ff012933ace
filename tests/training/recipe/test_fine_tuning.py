"""One command from a packaged model and a user's annotations to a model that is no worse, or to a refusal."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper

from bpr.backends import named_models
from bpr.backends.onnx_runtime import OnnxPredictor
from bpr.cli.main import main
from bpr.errors import BPRError
from bpr.refinement.predictor import PatchBatch
from bpr.training.network.segmentor import build_network
from bpr.training.recipe.fine_tuning import fine_tune, read_start, split_by_image
from tests.conftest import SmallSet

FAST = named_models()["starter-fast"]
MASK = {"segmentation": [[0, 0, 5, 0, 5, 5]]}
ONE_ITERATION = [
    "train_cfg.max_iters=1",
    "train_dataloader.batch_size=1",
    "train_dataloader.num_workers=0",
    "train_dataloader.persistent_workers=False",
]


def command(start: object, data: SmallSet, out: Path, *options: str) -> list[str]:
    files = [str(data.ann), "--img-dir", str(data.images), "--out", str(out), "--work-dir", str(out.parent / "work")]
    return ["train", "--from", str(start), *files, *options, "--cfg-options", *ONE_ITERATION]


def paints_everything(path: Path) -> Path:
    """The fast starter with a last bias that makes every pixel foreground: no training is worse."""
    model = onnx.load(str(FAST))
    (bias,) = (item for item in model.graph.initializer if item.name.endswith("conv_seg.bias"))
    bias.CopyFrom(numpy_helper.from_array(np.array([-99, 99], np.float32), bias.name))
    onnx.save(model, str(path))
    return path


def test_a_model_that_is_no_worse_is_written(
    small_set: SmallSet, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    start, out = paints_everything(tmp_path / "start.onnx"), tmp_path / "own.onnx"
    assert main(command(start, small_set, out, "--results", str(small_set.results))) == 0
    predictor, before = OnnxPredictor(out), OnnxPredictor(start)
    assert predictor.spec == before.spec
    assert predictor.recommended == before.recommended
    assert predictor.metadata["verdict"] == before.metadata["verdict"], "good masks stay, as with the start"
    origin = predictor.metadata["provenance"]
    assert origin["config"] == before.metadata["provenance"]["config"], "so that it can be fine-tuned again"
    assert "then instances.json: 1 image with 2 annotations" in origin["trained_on"]
    lines = capsys.readouterr().out.splitlines()
    table = lines[lines.index(f"{out}: written; refine with --model {out}") - 4 :]
    assert table[0].startswith("2 instances in 1 held-out image ")
    assert table[1].split() == ["coarse", "masks", "41.3", "84.8"]  # the detector's masks, not made ones
    assert [line.split()[0] for line in table[2:4]] == [str(start), "fine-tuned"]
    assert len(list((tmp_path / "work").glob("*.py"))) == 1, "the config beside the checkpoints"


def test_a_model_that_is_worse_is_refused(
    small_set: SmallSet, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "own.onnx"
    spoilt = ["optim_wrapper.optimizer.lr=10", "optim_wrapper.clip_grad=None"]
    assert main([*command("starter-fast", small_set, out), *spoilt]) == 1
    printed = capsys.readouterr()
    line = f"bpr train: {out}: not written: expected a model that refines no worse than starter-fast, got F@2px "
    assert line in printed.err
    assert "fine-tuned (best at iteration 1)" in printed.out
    assert not out.exists()


def test_the_weights_of_the_file_are_those_of_the_network() -> None:
    start = read_start("starter-fast")
    network = build_network(start.network).eval()
    network.load_state_dict(start.state)
    patches = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 5), np.uint8)
    with torch.inference_mode():
        found = network.probabilities(torch.from_numpy(patches)).numpy()
    assert found == pytest.approx(
        OnnxPredictor(FAST).predict(PatchBatch(patches, np.zeros((2, 4), np.int32), [])), abs=1e-4
    )


def test_images_are_split_and_no_annotation_is_lost() -> None:
    images = [{"id": number, "file_name": f"{number}.jpg"} for number in range(12)]
    annotations = [{"image_id": number % 10, "id": number, **MASK} for number in range(40)]
    crowd = {"image_id": 11, "iscrowd": 1}
    parts = split_by_image({"images": images, "annotations": [*annotations, crowd], "info": 1}, "ann.json")
    assert [image["id"] for image in parts["held_out"]["images"]] == [0, 5]
    assert [image["id"] for image in parts["train"]["images"]] == [1, 2, 3, 4, 6, 7, 8, 9]
    assert sorted(item["id"] for part in parts.values() for item in part["annotations"]) == list(range(40))
    assert parts["train"]["info"] == parts["held_out"]["info"] == 1
    many = {"images": [{"id": n} for n in range(1000)], "annotations": [{"image_id": n, **MASK} for n in range(1000)]}
    assert len(split_by_image(many, "ann.json")["held_out"]["images"]) == 40
    few = [crowd, {"image_id": 3, **MASK}, {"image_id": 4, "bbox": [1, 1, 5, 5]}]
    with pytest.raises(BPRError, match=r"expected at least 2 images with annotated instances.*, got 1; annotate more"):
        split_by_image({"images": images, "annotations": few}, "ann.json")


@pytest.mark.parametrize(
    ("model", "words"),
    [
        ("startr", r"expected one of hrnet-w18s, starter, .* or bpr train wrote \(.onnx\); did you mean starter\?"),
        ("starter-fast.int8", "expected the float weights of "),
        ("none.onnx", "no such model file"),
    ],
)
def test_what_cannot_be_started_from(model: str, words: str) -> None:
    with pytest.raises(BPRError, match=words):
        read_start(model)


def test_a_file_with_more_weights_than_its_config_is_refused(tmp_path: Path) -> None:
    model = onnx.load(str(FAST))
    model.graph.initializer.append(numpy_helper.from_array(np.zeros(4, np.float32), "segmentor.backbone.second.weight"))
    onnx.save(model, str(tmp_path / "larger.onnx"))
    with pytest.raises(BPRError, match=r"expected the weights of bpr_.*, got backbone.second.weight of another network; "):
        read_start(str(tmp_path / "larger.onnx"))


def test_a_wrong_name_is_said_before_torch_is_loaded(
    small_set: SmallSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("bpr.cli.train.import_training", lambda: pytest.fail("torch was loaded"))
    assert main(command("none.onnx", small_set, tmp_path / "own.onnx")) == 1
    assert capsys.readouterr().err.startswith("bpr train: none.onnx: no such model file; ")


def test_what_no_training_can_use_is_said_before_anything_is_written(
    small_set: SmallSet, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = []
    document = json.loads(small_set.ann.read_text())
    boxes = [{**annotation, "segmentation": []} for annotation in document["annotations"]]
    for items, lost in ((boxes, ""), (document["annotations"], "000002.png")):
        small_set.ann.write_text(json.dumps({**document, "annotations": items}))
        if lost:
            (small_set.images / lost).unlink()
        assert main(command("starter-fast", small_set, tmp_path / "own.onnx")) == 1
        lines.append(capsys.readouterr().err.splitlines()[-1])
    assert "expected annotated instances, got none; every annotation is a crowd or has no mask" in lines[0]
    assert "got none for 1 of 2: 000002.png; add them, or take them out of the annotations" in lines[1]
    assert not (tmp_path / "work").exists()


@pytest.mark.parametrize(
    ("saved", "line"),
    [
        ("iter_100.pth", "iter_100.pth is saved; the same command with --resume goes on"),
        (None, "no checkpoint was saved; the same command starts again"),
    ],
)
def test_an_interrupted_training_says_how_to_go_on(
    small_set: SmallSet,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    saved: str | None,
    line: str,
) -> None:
    note = tmp_path / "work" / "last_checkpoint"  # as MMEngine writes it
    note.parent.mkdir()
    note.write_text("iter_1.pth")  # of an earlier training

    def stopped(_: object) -> None:
        if saved:
            note.write_text(saved)
        raise KeyboardInterrupt

    monkeypatch.setattr("mmengine.runner.Runner.train", stopped)
    assert main(command("starter-fast", small_set, tmp_path / "own.onnx")) == 130
    said = capsys.readouterr()
    assert line in said.out + said.err
    assert said.err.splitlines()[-1] == "bpr train: interrupted"


def test_detections_of_other_images_are_refused(small_set: SmallSet, tmp_path: Path) -> None:
    others = small_set.write("others.json", [{**record, "image_id": 99} for record in small_set.records])
    files = str(small_set.ann), str(small_set.images), str(tmp_path / "x.onnx"), str(others), str(tmp_path / "w")
    with pytest.raises(BPRError, match=r"others\.json: expected detections that match .* got none among"):
        fine_tune("starter-fast", *files)


def test_a_config_that_a_file_names_is_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine.py").write_text("raise SystemExit")
    model = onnx.load(str(FAST))
    (facts,) = model.metadata_props
    said = json.loads(facts.value)
    said["provenance"]["config"] = str(tmp_path / "mine.py")
    facts.value = json.dumps(said)
    onnx.save(model, "foreign.onnx")
    with pytest.raises(BPRError, match=r"expected a network of a config that comes with BPR, got 'mine\.py'"):
        read_start("foreign.onnx")


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["--from", "starter", "a.json", "--img-dir", "x"], "--from starter: expected --out with it, got none"),
        (["--from", "starter", "a.json", "--out", "x.onnx"], "--from starter: expected --img-dir with it, got none"),
        (["config.py", "--out", "x.onnx"], "--out: expected --from MODEL with it, got none"),
        (["config.py", "--results", "x.json"], "--results: expected --from MODEL with it, got none"),
        (
            ["--from", "starter", "a.json", "--img-dir", "x", "--out", "o.onnx", "--launcher", "pytorch"],
            "--launcher pytorch: expected a config with it",
        ),
    ],
)
def test_options_that_do_not_fit(words: list[str], line: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", *words]) == 2
    assert f"bpr train: {line}" in capsys.readouterr().err


def test_the_annotations_are_not_overwritten(small_set: SmallSet, capsys: pytest.CaptureFixture[str]) -> None:
    before = json.loads(small_set.ann.read_text())
    assert main(command("starter-fast", small_set, small_set.ann)) == 2
    assert json.loads(small_set.ann.read_text()) == before
