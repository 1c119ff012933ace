"""ImageNet weights find their places, and who has none or the wrong ones is told in one line."""

from __future__ import annotations

from pathlib import Path
from urllib.error import URLError

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from bpr.errors import BPRError
from bpr.geometry.channels import CHANNELS
from bpr.geometry.options import PatchSpec, Placement
from bpr.training.network import pretrained
from bpr.training.network.mask_stem import add_mask_stem
from bpr.training.network.norms import calibrate_norms
from bpr.training.network.pretrained import load_pretrained, mobilenet_v2_state_dict
from bpr.training.recipe.runner import build_runner
from tests.conftest import ROOT
from tests.training.test_configs import ONE_ITERATION, write_noise

from mmseg.models.backbones import MobileNetV2, ResNet  # isort: skip  (bpr.training must come first)

WIDTHS = [(32, 16, 1), (16, 24, 2), (24, 24, 1), (24, 32, 2), (32, 32, 1), (32, 32, 1), (32, 64, 2), *[(64, 64, 1)] * 3]
WIDTHS += [(64, 96, 1), (96, 96, 1), (96, 96, 1), (96, 160, 2), (160, 160, 1), (160, 160, 1), (160, 320, 1)]
"""(channels in, out, stride) of the 17 blocks."""


def folded_arrays() -> dict[str, np.ndarray]:
    """A MobileNetV2 in the layout of the plain arrays, with weights that keep activations within reason."""
    rng = np.random.default_rng(0)

    def convolution(name: str, out: int, into: int, side: int) -> dict[str, np.ndarray]:
        weight = rng.normal(0, (2 / (into * side * side)) ** 0.5, (out, into, side, side))
        return {f"{name}.weight": weight.astype(np.float16), f"{name}.bias": rng.normal(0, 0.2, out).astype(np.float16)}

    arrays = convolution("stem", 32, 3, 3)
    for block, (into, out, _) in enumerate(WIDTHS):
        wide = into * (6 if block else 1)
        arrays |= convolution(f"blocks.{block}.expand", wide, into, 1) if block else {}
        arrays |= convolution(f"blocks.{block}.dw", wide, 1, 3)
        arrays |= convolution(f"blocks.{block}.project", out, wide, 1)
    return arrays


def run_folded(arrays: dict[str, np.ndarray], x: torch.Tensor) -> torch.Tensor:
    """The last features of the folded network, computed from the arrays alone; x is in ours, its border padded there."""
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (CHANNELS["rgb"].centre, CHANNELS["rgb"].spread))

    def apply(name: str, x: torch.Tensor, **geometry: int) -> torch.Tensor:
        weight, bias = (torch.from_numpy(arrays[f"{name}.{kind}"].astype(np.float32)) for kind in ("weight", "bias"))
        return F.conv2d(x, weight, bias, **geometry)

    x = F.relu6(apply("stem", (F.pad(x, (1, 1, 1, 1)) * std + mean) / 127.5 - 1, stride=2))
    for block, (into, out, stride) in enumerate(WIDTHS):
        inside = F.relu6(apply(f"blocks.{block}.expand", x)) if block else x
        inside = F.relu6(apply(f"blocks.{block}.dw", inside, stride=stride, padding=1, groups=inside.shape[1]))
        inside = apply(f"blocks.{block}.project", inside)
        x = x + inside if into == out and stride == 1 else inside
    return x


@pytest.fixture(scope="module")
def converted() -> tuple[MobileNetV2, dict[str, np.ndarray]]:
    arrays, backbone = folded_arrays(), MobileNetV2(out_indices=(6,))
    backbone.eval()
    missing = backbone.load_state_dict(mobilenet_v2_state_dict(arrays), strict=False)
    assert not missing.unexpected_keys
    assert all(name.endswith("num_batches_tracked") for name in missing.missing_keys)
    return backbone, arrays


def test_folded_arrays_give_the_same_features(converted: tuple[MobileNetV2, dict[str, np.ndarray]]) -> None:
    backbone, arrays = converted
    x = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        ours = backbone(x)
        expected = run_folded(arrays, x)
    assert ours.shape == (2, 320, 2, 2)
    assert torch.allclose(ours, expected, atol=1e-3 * float(expected.abs().max()))


def test_calibrated_norms_compute_the_same_in_eval_mode_and_in_training(converted: tuple[MobileNetV2, dict[str, np.ndarray]]) -> None:
    """In training a norm divides by the batch's spread: on the calibrating batch that must change nothing any more."""
    folded = converted[0].state_dict()
    backbone = MobileNetV2(out_indices=(2,))
    backbone.load_state_dict(folded)
    x = torch.randn(8, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        uncalibrated = backbone(x)
        backbone.load_state_dict(folded)
        backbone.eval()
        before = backbone(x)
        calibrate_norms(backbone, [x])
        after = backbone(x)
        backbone.train()
        trained = backbone(x)
    assert torch.allclose(after, before, atol=1e-3 * float(before.abs().max()))
    assert (trained - before).abs().mean() < 0.01 * (uncalibrated - before).abs().mean()


def test_a_config_trains_from_folded_arrays(tmp_path: Path) -> None:
    np.savez(tmp_path / "arrays.npz", **folded_arrays())
    base = ROOT / "configs" / "bpr_mobilenet-v2_4xb8-160k_cityscapes-128x128.py"
    config = tmp_path / "folded.py"
    config.write_text(f"_base_ = [{str(base)!r}]\ncustom_hooks = [dict(type='bpr.CalibrateNormHook', batches=2)]\n")
    write_noise(tmp_path / "store", PatchSpec(), Placement())
    options = [f"model.pretrained={tmp_path / 'arrays.npz'}", f"train_dataloader.dataset.stores={tmp_path / 'store'}"]
    runner = build_runner(config, str(tmp_path / "work"), options + ONE_ITERATION)
    runner.train()
    assert np.isfinite(runner.message_hub.get_scalar("train/loss").current())
    norm = runner.model.backbone.layer7[0].conv[2].bn
    assert not torch.allclose(norm.weight, torch.ones(()), atol=0.1)
    log = next((tmp_path / "work").glob("*/*.log")).read_text()
    assert "arrays.npz: 255 of 255 tensors" in log


def test_a_missing_array_is_named() -> None:
    arrays = folded_arrays()
    del arrays["blocks.3.dw.bias"]
    with pytest.raises(BPRError, match=r"17 blocks.*blocks\.3\.dw\.bias.* is missing"):
        mobilenet_v2_state_dict(arrays)


def test_the_real_arrays_fit(shared_data: Path, lines: list[str]) -> None:
    folder = shared_data.parent / "weights"
    load_pretrained(MobileNetV2(), str(folder / "mobilenetv2_100_imagenet.npz"))
    assert lines == [f"pretrained {folder / 'mobilenetv2_100_imagenet.npz'}: 255 of 255 tensors"]
    with pytest.raises(BPRError, match="does not fit MobileNetV2"):  # of half the width, rounded otherwise than by MMSegmentation
        load_pretrained(MobileNetV2(widen_factor=0.5), str(folder / "mobilenetv2_050_voc.npz"))


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was logged."""
    logged: list[str] = []
    monkeypatch.setattr(pretrained, "print_log", lambda line, **_: logged.append(line))
    return logged


def stemmed(depth: int = 18) -> nn.Module:
    torch.manual_seed(1)
    backbone = ResNet(depth=depth, base_channels=8)
    add_mask_stem(backbone, 1)
    return backbone


@pytest.mark.parametrize("layout", ["plain", "of a whole network"])
def test_the_first_convolution_takes_rgb_and_the_masks_starts_fresh(layout: str, tmp_path: Path, lines: list[str]) -> None:
    torch.manual_seed(0)
    published = {**ResNet(depth=18, base_channels=8).state_dict(), "fc.weight": torch.zeros(10, 64)}
    whole = {"state_dict": {**{f"backbone.{name}": value for name, value in published.items()}, "head.fc.bias": torch.zeros(10)}}
    torch.save(published if layout == "plain" else whole, tmp_path / "r18.pth")
    backbone = stemmed()
    mask = backbone.conv_mask.weight.clone()
    load_pretrained(backbone, str(tmp_path / "r18.pth"))
    assert torch.equal(backbone.conv1.weight, published["conv1.weight"])
    assert torch.equal(backbone.layer4[1].conv2.weight, published["layer4.1.conv2.weight"])
    assert torch.equal(backbone.conv_mask.weight, mask)
    assert lines == [f"pretrained {tmp_path / 'r18.pth'}: 105 of 105 tensors"]


def test_what_fits_in_part_is_loaded_and_the_rest_named(tmp_path: Path, lines: list[str]) -> None:
    published = ResNet(depth=18, base_channels=8).state_dict()
    del published["layer1.0.conv1.weight"]
    torch.save(published, tmp_path / "r18.pth")
    load_pretrained(stemmed(), str(tmp_path / "r18.pth"))
    assert lines == [f"pretrained {tmp_path / 'r18.pth'}: 104 of 105 tensors, random: layer1.0.conv1.weight"]


def test_weights_of_another_width_are_refused(tmp_path: Path) -> None:
    torch.save(ResNet(depth=18, base_channels=16).state_dict(), tmp_path / "wide.pth")
    with pytest.raises(BPRError, match=r"does not fit ResNet \(layer1\.0\.conv1\.weight is \(16, 64, 3, 3\), not \(8, 64, 3, 3\)\)"):
        load_pretrained(stemmed(), str(tmp_path / "wide.pth"))


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    torch.save({"x": torch.zeros(1)}, tmp_path / "other.pth")
    with pytest.raises(BPRError, match="no name agrees"):
        load_pretrained(stemmed(), str(tmp_path / "other.pth"))


@pytest.mark.parametrize(("source", "what"), [("no/such.pth", "no such file"), ("open-mmlab://nothing", "the zoo has no 'nothing'")])
def test_a_source_that_is_none_is_an_error(source: str, what: str) -> None:
    with pytest.raises(BPRError, match=what):
        load_pretrained(stemmed(), source)


def stand_in_for_the_network(monkeypatch: pytest.MonkeyPatch, cache: Path, error: Exception | None = None) -> list[tuple[str, str]]:
    """What is fetched is a ResNet-18, or an error; the returned list fills with addresses and digests."""
    calls: list[tuple[str, str]] = []

    def fetch(address: str, path: str, digest: str, progress: bool) -> None:
        calls.append((address, digest))
        if error:
            raise error
        torch.save(ResNet(depth=18, base_channels=8).state_dict(), path)

    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(cache))
    monkeypatch.setattr(torch.hub, "download_url_to_file", fetch)
    return calls


def test_a_name_of_the_zoo_is_fetched_once_and_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lines: list[str]) -> None:
    calls = stand_in_for_the_network(monkeypatch, tmp_path)
    load_pretrained(stemmed(), "open-mmlab://resnet18_v1c")
    load_pretrained(stemmed(), "open-mmlab://resnet18_v1c")
    assert calls == [("https://download.openmmlab.com/pretrain/third_party/resnet18_v1c-b5776b93.pth", "b5776b93")]
    assert lines == ["pretrained open-mmlab://resnet18_v1c: 105 of 105 tensors"] * 2


def test_without_a_network_training_starts_from_random_weights_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lines: list[str]
) -> None:
    backbone = stemmed()
    before = backbone.conv1.weight.clone()
    stand_in_for_the_network(monkeypatch, tmp_path, URLError("no route"))
    load_pretrained(backbone, "open-mmlab://resnet18_v1c")
    assert torch.equal(backbone.conv1.weight, before)
    assert len(lines) == 1
    assert "cannot be fetched" in lines[0]
    assert "random weights; fetch it elsewhere and set model.pretrained to the file" in lines[0]


def test_a_damaged_download_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in_for_the_network(monkeypatch, tmp_path, RuntimeError("invalid hash value"))
    with pytest.raises(BPRError, match="is damaged"):
        load_pretrained(stemmed(), "open-mmlab://resnet18_v1c")
