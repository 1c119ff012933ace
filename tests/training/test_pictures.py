"""A training shows what it does: pictures in the work dir and in TensorBoard, and a log that can be read."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from bpr.cli.main import main
from bpr.errors import BPRError
from bpr.report.draw import COARSE, REFINED, TRUTH
from bpr.training.recipe.runner import build_runner, parse_options
from tests.conftest import SmallSet
from tests.training.toy_runs import TOY_MODEL, held_out, leaf

BASES = (TOY_MODEL, "datasets/starter_images", "schedules/adamw_ema", "validated_runtime")
LEAF = """
model = dict(data_preprocessor=dict(input_side=64, inputs={{{{_base_.refinement.patch.inputs}}}}))
sources = [dict(ann={ann!r}, img_dir={images!r})]
loading = dict(num_workers=0, persistent_workers=False, batch_size=2, dataset=dict(sources=sources))
train_dataloader = loading
train_cfg = dict(type='IterBasedTrainLoop', max_iters=2, val_interval=2)
default_hooks = dict(pictures=dict(interval=2), logger=dict(interval=1))
"""


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    data = SmallSet(folder / "set")
    text = LEAF.format(ann=str(data.ann), images=str(data.images))
    config = leaf(folder, BASES, text + held_out(data))
    assert main(["train", config, "--work-dir", str(folder / "work")]) == 0
    return folder / "work"


def colours_in(picture: np.ndarray, colour: tuple[int, int, int]) -> int:
    """Pixels near a colour; JPEG changes it a little."""
    return int((np.abs(picture.astype(int) - colour).max(axis=2) < 40).sum())


def test_the_pictures_show_coarse_refined_and_true_outlines(trained: Path) -> None:
    for name in ("train_batch.jpg", "val_refined.jpg"):
        picture = cv2.imread(str(trained / name), cv2.IMREAD_COLOR_RGB)
        for colour in (COARSE, REFINED, TRUTH):
            assert colours_in(picture[40:], colour) > 20, (name, colour)


def test_tensorboard_keeps_every_picture_and_the_numbers_of_the_validation(trained: Path) -> None:
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    events = accumulator.EventAccumulator(str(min(trained.glob("*/vis_data"))))
    events.Reload()
    assert [event.step for event in events.Images("train_batch")] == [0, 1]
    assert len(events.Images("val_refined")) == 1
    for name in ("F@2px/after", "pairs/harmed_clearly"):
        assert len(events.Scalars(name)) == 1


def test_the_log_has_a_line_for_the_machine_the_config_and_the_hooks(trained: Path) -> None:
    (log,) = trained.glob("*/*.log")
    lines = log.read_text().splitlines()
    assert len(lines) < 30
    assert sum("the whole config is written to" in line for line in lines) == 1
    assert (trained / "leaf.py").is_file()
    assert any("EMAHook" in line and "PictureHook" in line for line in lines)


def test_a_machine_without_tensorboard_trains(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    find_spec = "bpr.training.recipe.runner.importlib.util.find_spec"
    monkeypatch.setattr(find_spec, lambda name, package=None: None)
    runner = build_runner(trained.parent / "leaf.py", str(tmp_path))
    monkeypatch.undo()
    assert [backend["type"] for backend in runner.cfg.visualizer.vis_backends] == ["LocalVisBackend"]


@pytest.mark.parametrize("name", ["bpr_hrnet-w18s_1xb32-3000_own-64x64", "configs/bpr_hrnet-w18s_1xb32-3000_own-64x64"])
def test_a_config_is_found_by_its_name(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from bpr.configs import find_config

    monkeypatch.chdir(tmp_path)
    assert find_config(name).name == "bpr_hrnet-w18s_1xb32-3000_own-64x64.py"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("bpr_hrnet-w18s_1xb32-3000_own-64x46", "did you mean bpr_hrnet-w18s_1xb32-3000_own-64x64"),
        ("bpr_resnet-19_4xb8-160k_cityscapes-128x128", "bpr_resnet-18_4xb8-160k_cityscapes-128x128 or bpr_resnet-50_4xb8"),
        ("quite_another.py", "bpr's own are in "),
        (".", "no such config"),
    ],
)
def test_a_name_that_is_not_there(name: str, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", name, "--work-dir", str(tmp_path)]) in (1, 2)
    assert words in capsys.readouterr().err or name == "."


def test_annotations_are_no_config(small_set: SmallSet, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", str(small_set.ann)]) == 2
    assert f"bpr train --from starter {small_set.ann} --img-dir DIR --out FILE" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("dict(type='EMAHook', momentum=0.1)", {"type": "EMAHook", "momentum": 0.1}),
        ("[dict(type=bpr.CalibrateNormHook), dict(a=[1, -2], b=None)]",
         [{"type": "bpr.CalibrateNormHook"}, {"a": [1, -2], "b": None}]),
        ("{'a': (1, 2), 'b': True}", {"a": [1, 2], "b": True}),
        ("[1,2]", [1, 2]),
        ("data/dict/x", "data/dict/x"),
    ],
)  # fmt: skip
def test_options_may_be_dicts(text: str, value: object) -> None:
    assert parse_options([f"custom_hooks={text}"]) == {"custom_hooks": value}


@pytest.mark.parametrize("text", ["dict(", "dict(a=f())", "dict(1)", "[dict(a=1)", "dict(**x)", "{1: g()}"])
def test_no_option_runs_code(text: str) -> None:
    with pytest.raises(BPRError, match=r"--cfg-options custom_hooks: expected dict\(name=value, ...\)"):
        parse_options([f"custom_hooks={text}"])


@pytest.mark.parametrize(
    ("analysis", "out"), [("patches", "x.json"), ("patches", "x"), ("scatter", "x.png"), ("failures", "x.md")]
)
def test_an_analysis_refuses_a_name_of_another_kind(
    analysis: str, out: str, capsys: pytest.CaptureFixture[str]
) -> None:
    files = ["r.json", "--before", "r.json", "--ann", "a.json", "--img-dir", "i"]
    with pytest.raises(SystemExit) as ended:
        main(["analyze", analysis, *files, "--out", out])
    assert ended.value.code == 2
    assert f"expected a file that ends in .{'png' if analysis == 'patches' else 'json'}" in capsys.readouterr().err
