"""A training that cannot start ends with one line that says why."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from mmengine.config import Config

from bpr.cli.main import main
from bpr.errors import BPRError
from bpr.training.recipe.runner import build_runner
from tests.conftest import ROOT, SmallSet

OWN = str(ROOT / "configs" / "bpr_hrnet-w18s_1xb32-3000_own-64x64.py")
Said = Callable[..., str]


@pytest.fixture
def said(small_set: SmallSet, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> Said:
    """The one line of a training on the small set that fails."""
    source = {"ann": small_set.ann, "img_dir": small_set.images}
    loader = {"num_workers": 0, "persistent_workers": False, "batch_size": 4}
    own = [*(f"train_dataloader.dataset.sources.0.{key}={path}" for key, path in source.items())]
    own += [*(f"train_dataloader.{key}={value}" for key, value in loader.items()), "model.pretrained=None", "train_cfg.max_iters=1"]

    def fail(*options: str, more: tuple[str, ...] = ()) -> str:
        assert main(["train", OWN, "--work-dir", str(tmp_path / "work"), *more, "--cfg-options", *own, *options]) == 1
        (line,) = (line for line in capfd.readouterr().err.splitlines() if line.startswith("bpr train: "))
        return line.removeprefix("bpr train: ")

    return fail


@pytest.mark.parametrize(("lost", "words"), [((2,), "1 of 2: 000002.png"), ((1, 2), "2 of 2: 000001.png, 000002.png")])
def test_missing_images_are_said_before_the_first_iteration(small_set: SmallSet, said: Said, lost: tuple[int, ...], words: str) -> None:
    for number in lost:
        (small_set.images / f"{number:06d}.png").unlink()
    expected = f"{small_set.ann}: expected its images in {small_set.images}, got none for {words}; "
    assert said() == expected + "add them, or take them out of the annotations"


@pytest.mark.parametrize("processes", [0, 1])
def test_a_loading_process_says_its_own_line(small_set: SmallSet, said: Said, processes: int) -> None:
    for path in small_set.images.iterdir():
        path.write_bytes(path.read_bytes()[:33])  # the header alone, which a check before the training reads
    line = said(f"train_dataloader.num_workers={processes}")
    assert re.fullmatch(r"\S+\.png: expected a whole image, got one that is cut, .*", line), line


def test_a_start_that_is_no_checkpoint(tmp_path: Path, said: Said) -> None:
    fake = tmp_path / "fake.pth"
    assert said(more=("--resume", str(fake))) == f"{fake}: no such file; expected a checkpoint (.pth)"
    fake.write_text("text")
    for line in (said(more=("--resume", str(fake))), said(f"load_from={fake}")):
        assert line.startswith(f"{fake}: not a checkpoint of plain tensors (")
        assert line.endswith("; expected a .pth file that bpr train or torch.save wrote")


def test_weights_alone_are_not_resumed(tmp_path: Path, said: Said) -> None:
    weights = tmp_path / "averaged.pth"
    torch.save({"meta": {}, "state_dict": {"weight": torch.ones(1)}}, weights)
    expected = f"{weights}: expected a checkpoint of bpr train to resume, got one without message_hub; "
    assert said(more=("--resume", str(weights))) == f"{expected}to start from its weights: --cfg-options load_from={weights}"


def test_a_key_that_nothing_reads(said: Said) -> None:
    line = said("modle.pretrained=None")
    assert line == "--cfg-options modle.pretrained: expected a key of the config, got 'modle'; did you mean model?"
    line = said("foo=1")
    assert line.startswith("--cfg-options foo: expected a key of the config, got 'foo'; it has custom_hooks, ")
    assert line.endswith(", train_dataloader, visualizer")


def test_new_keys_below_one_of_the_config_and_those_of_mmengine(tmp_path: Path) -> None:
    new = ["default_hooks.logger.ignore_last=False", "experiment_name=trial", "find_unused_parameters=True"]
    assert build_runner(OWN, str(tmp_path), [*new, "model.pretrained=None"]).cfg.default_hooks.logger.ignore_last is False


def test_the_text_of_a_config_is_read_back_although_nothing_formats_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mmengine.config.config.FormatCode", lambda *_, **__: pytest.fail("formatting takes most of a second"))
    runner = build_runner(OWN, str(tmp_path), ["model.pretrained=None", "train_cfg.max_iters=7"])
    copies = [tmp_path / Path(OWN).name, *tmp_path.rglob("vis_data/config.py")]
    assert [Config.fromfile(path).to_dict() for path in copies] == [runner.cfg.to_dict()] * 2
    assert runner.cfg.train_cfg.max_iters == 7


def test_trainings_that_begin_in_the_same_second_share_no_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.time", lambda: 1e9)
    runners = [build_runner(OWN, str(tmp_path), ["model.pretrained=None"]) for _ in range(2)]
    assert len({runner.experiment_name for runner in runners}) == 2
    assert len({runner.log_dir for runner in runners}) == 2
    assert runners[0].logger is not runners[1].logger


@pytest.mark.parametrize("option", ["train_dataloader.dataset.sources.7.ann=x", "train_cfg.max_iters.most=1"])
def test_a_place_that_the_config_does_not_have(tmp_path: Path, option: str) -> None:
    with pytest.raises(BPRError, match=r"--cfg-options: expected keys that the config has, got another \(.*\); correct the dotted key"):
        build_runner(OWN, str(tmp_path), [option])


@pytest.mark.skipif(torch.cuda.is_available(), reason="what a machine without a GPU says")
def test_float16_needs_a_gpu(said: Said) -> None:
    assert said(more=("--amp", "fp16")) == "--amp fp16: expected a GPU, got none; --amp bf16 trains without one"
