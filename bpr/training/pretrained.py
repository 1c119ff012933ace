"""ImageNet weights for a backbone. Its first convolution takes those for RGB; ``conv_mask`` starts fresh.

Nothing that was fetched is executed: files are read as plain tensors or arrays.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from mmengine.logging import print_log
from mmengine.runner.checkpoint import get_external_models, get_mmcls_models
from torch import nn

from bpr.errors import BPRError
from bpr.geometry.channels import CHANNELS
from bpr.training.state_dict import read_state_dict

ZOOS = {"open-mmlab://": get_external_models, "mmcls://": get_mmcls_models}
FRESH = ("conv_mask.", "num_batches_tracked")
BLOCKS_PER_LAYER = (1, 2, 3, 4, 3, 3, 1)
BN_EPS = 1e-5


def load_pretrained(backbone: nn.Module, source: str) -> None:
    """Load what fits from ``source`` and say in one line of the log what did.

    A source that cannot be reached leaves the backbone as it is, with a warning: many machines that train have no network.

    Args:
        source: a name of the OpenMMLab zoo (``open-mmlab://...``, ``mmcls://...``), an address, or a ``.pth`` or ``.npz`` file.

    Raises:
        BPRError: no such name or file, it is damaged, or its tensors do not fit the backbone.
    """
    try:
        path = _local_file(source)
    except OSError as error:  # of urllib: no network, no such address
        remedy = "fetch it elsewhere and set model.pretrained to the file"
        _log(f"pretrained {source}: cannot be fetched ({error}); the backbone starts from random weights; {remedy}", logging.WARNING)
        return
    own = {name: value for name, value in backbone.state_dict().items() if not any(part in name for part in FRESH)}
    found = {name: value for name, value in _backbone_tensors(path).items() if name in own}
    misfits = [name for name, value in found.items() if value.shape != own[name].shape]
    if misfits or not found:
        what = f"{misfits[0]} is {tuple(found[misfits[0]].shape)}, not {tuple(own[misfits[0]].shape)}" if misfits else "no name agrees"
        raise BPRError(f"pretrained {source}: does not fit {type(backbone).__name__} ({what}); set model.pretrained to another or to None")
    backbone.load_state_dict(found, strict=False)
    lacking = sorted(own.keys() - found.keys())
    rest = f", random: {', '.join(lacking[:3])}{', ...' if len(lacking) > 3 else ''}" if lacking else ""
    _log(f"pretrained {source}: {len(found)} of {len(own)} tensors{rest}", logging.WARNING if lacking else logging.INFO)


def mobilenet_v2_state_dict(arrays: Mapping[str, np.ndarray]) -> dict[str, torch.Tensor]:
    """Plain arrays of a MobileNetV2 whose norms were folded into biases -> MMSegmentation's names.

    The arrays are ``stem.{weight,bias}`` and ``blocks.{0..16}.{expand,dw,project}.{weight,bias}`` (block 0 has no
    ``expand``), for pixels scaled to [-1, 1]. The stem is changed to read ours, normalised with ImageNet's constants; norms
    come back as ones that shift by the bias alone, until :class:`~bpr.training.calibration.CalibrateNormHook` sees patches.

    Raises:
        BPRError: an array is missing.
    """
    tensors = {name: torch.from_numpy(np.asarray(array, np.float32)) for name, array in arrays.items()}
    state: dict[str, torch.Tensor] = {}
    try:
        state |= _unfolded("conv1", *_for_our_pixels(tensors["stem.weight"], tensors["stem.bias"]))
        for block, place in enumerate(_block_names()):
            parts = ("expand", "dw", "project")[not block :]
            for number, part in enumerate(parts):
                folded = (tensors[f"blocks.{block}.{part}.{kind}"] for kind in ("weight", "bias"))
                state |= _unfolded(place.format(number), *folded)
    except KeyError as error:
        raise BPRError(f"MobileNetV2 arrays: expected stem and 17 blocks with weight and bias each, {error} is missing") from error
    return state


def _block_names() -> list[str]:
    """Where MMSegmentation keeps the convolutions of each block, which are numbered."""
    return [f"layer{layer}.{n}.conv.{{}}" for layer, count in enumerate(BLOCKS_PER_LAYER, 1) for n in range(count)]


def _for_our_pixels(weight: torch.Tensor, bias: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """p / 127.5 - 1 = (std x + mean) / 127.5 - 1 for our x = (p - mean) / std."""
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (CHANNELS["rgb"].centre, CHANNELS["rgb"].spread))
    return weight * std / 127.5, bias + (weight * (mean / 127.5 - 1)).sum((1, 2, 3))


def _unfolded(place: str, weight: torch.Tensor, bias: torch.Tensor) -> dict[str, torch.Tensor]:
    ones = torch.ones_like(bias)
    norm = {"weight": ones, "bias": bias, "running_mean": ones - 1, "running_var": ones - BN_EPS}
    return {f"{place}.conv.weight": weight} | {f"{place}.bn.{name}": value for name, value in norm.items()}


def _backbone_tensors(path: Path) -> dict[str, torch.Tensor]:
    """The tensors of a file under the backbone's own names; a whole network's backbone is taken out of it."""
    if path.suffix == ".npz":
        with np.load(path, allow_pickle=False) as arrays:
            return mobilenet_v2_state_dict(arrays)
    state = read_state_dict(path)
    prefix = "backbone."
    inside = {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}
    return inside or state


def _local_file(source: str) -> Path:
    """The file of a source, fetched into torch's cache where it is not there yet."""
    zoo, separator, name = source.partition("://")
    address = source
    if models := ZOOS.get(zoo + separator):
        known = models()
        if name not in known:
            raise BPRError(f"pretrained {source}: the zoo has no {name!r}; expected one like {', '.join(sorted(known)[:3])}")
        address = known[name]
    elif not separator:
        if not Path(source).is_file():
            raise BPRError(f"pretrained {source}: no such file")
        return Path(source)
    path = Path(torch.hub.get_dir()) / "checkpoints" / address.rpartition("/")[2]
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        digest = re.search(r"-([0-9a-f]{8})\.pth$", address)
        try:
            torch.hub.download_url_to_file(address, str(path), digest and digest[1], progress=False)
        except RuntimeError as error:
            raise BPRError(f"pretrained {source}: {address} came damaged ({error}); try again") from error
    return path


def _log(line: str, level: int) -> None:
    print_log(line, logger="current", level=level)
