"""The commands of docs/training.md run as written, at toy size, and give what the guide says."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import pytest

from bpr.cli.main import main
from bpr.geometry.rle import encode_mask
from bpr.scenes import paint_scene
from tests.conftest import ROOT
from tests.training.toy_runs import TOY_MODEL

GUIDE = (ROOT / "docs" / "training.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^## (.*?)\n(.*?)(?=^## |\Z)", GUIDE, re.MULTILINE | re.DOTALL))
LOADER = {"num_workers": 0, "persistent_workers": False, "batch_size": 2}
TOY = ["train_cfg.max_iters=2", *(f"train_dataloader.{key}={value}" for key, value in LOADER.items())]


def commands(text: str) -> list[list[str]]:
    """The words of every line in the shell blocks."""
    blocks = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    return [shlex.split(line) for block in blocks for line in block.strip().splitlines()]


def own_data(folder: Path) -> None:
    """Painted scenes in the folders that the guide names."""
    (folder / "images").mkdir(parents=True)
    for name, seeds in (("train", (1, 2)), ("val", (3,))):
        document: dict[str, list[dict[str, object]]] = {"images": [], "annotations": [], "categories": [{"id": 1, "name": "thing"}]}
        for seed in seeds:
            scene = paint_scene(seed, (120, 160))
            cv2.imwrite(str(folder / "images" / f"{seed}.png"), cv2.cvtColor(scene.image, cv2.COLOR_RGB2BGR))
            document["images"].append({"id": seed, "file_name": f"{seed}.png", "height": 120, "width": 160})
            for mask in scene.masks:
                base = {"id": len(document["annotations"]) + 1, "image_id": seed, "category_id": 1, "iscrowd": 0}
                document["annotations"].append({**base, "segmentation": encode_mask(mask), "area": mask.area, "bbox": mask.bbox})
        (folder / f"{name}.json").write_text(json.dumps(document))


def run_at_toy_size(words: list[str]) -> int:
    """Run one command of the guide. A training stops after two iterations, and its last checkpoint is named accordingly."""
    if words[0] == "python":
        return subprocess.run([sys.executable, str(ROOT / words[1]), *words[2:]], check=False).returncode
    toy = [word.replace("iter_3000", "iter_2") for word in words[1:]]
    if toy[0] == "train":
        toy += [*([] if "--cfg-options" in toy else ["--cfg-options"]), *TOY]
    return main(toy)


def test_own_data_in_five_commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    own_data(tmp_path / "data" / "own")
    # tests/training/test_configs.py trains the network itself, whose export takes half a minute.
    shutil.copytree(ROOT / "configs", tmp_path / "configs")
    (tmp_path / "configs" / "_base_" / "models" / "bpr_hrnet-w18s.py").write_text(f"_base_ = [{TOY_MODEL + '.py'!r}]")
    monkeypatch.chdir(tmp_path)
    five = commands(SECTIONS["Your own data in five commands"])
    assert len(five) == 5
    for words in [*five, *commands(SECTIONS["From a patch store"])]:
        assert run_at_toy_size(words) == 0, " ".join(words)
        if words[1] == "eval":
            assert "matched pairs in 1 image (" in capsys.readouterr().out
    coarse, refined = (json.loads(Path(f"{name}.segm.json").read_text()) for name in ("coarse", "refined"))
    assert len(refined) == len(coarse) == len(json.loads(Path("data/own/val.json").read_text())["annotations"])
    _, *arguments = commands(SECTIONS["Export"])[0]
    metadata = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=True).stdout
    assert json.loads(metadata).keys() >= set(re.findall(r"^\| `(\w+)`", SECTIONS["Export"], re.MULTILINE))
