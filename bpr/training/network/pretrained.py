"""ImageNet weights for a backbone: its first convolution takes those for RGB, ``conv_mask`` keeps its initial ones.

Nothing that was downloaded is executed: files are read as plain tensors or arrays.
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

from bpr.errors import BPRError, some
from bpr.geometry.channels import CHANNELS
from bpr.training.checkpoints import read_state_dict
from bpr.training.network.norms import norm_that_adds

ZOOS = {"open-mmlab://": get_external_models, "mmcls://": get_mmcls_models}
NOT_PRETRAINED = ("conv_mask.", "num_batches_tracked")
BLOCKS_PER_LAYER = (1, 2, 3, 4, 3, 3, 1)
BN_EPS = 1e-5


def load_pretrained(backbone: nn.Module, source: str) -> None:
    """Load the tensors of ``source`` that fit, and log in one line which those were.

    A source that cannot be reached leaves the backbone unchanged and logs a warning, because many machines that train
    have no network.

    Args:
        source: a name of the OpenMMLab zoo (``open-mmlab://...``, ``mmcls://...``), a URL, or a ``.pth`` or ``.npz``
            file.

    Raises:
        BPRError: no such name or file, it is damaged, or its tensors do not fit the backbone.
    """
    try:
        path = _local_file(source)
    except OSError as error:  # of urllib: no network, no such address
        remedy = "the backbone starts from random weights; fetch it elsewhere and set model.pretrained to the file"
        print_log(f"pretrained {source}: cannot be fetched ({error}); {remedy}", logger="current", level=logging.WARNING)
        return
    names = [name for name in backbone.state_dict() if not any(part in name for part in NOT_PRETRAINED)]
    wanted = {name: backbone.state_dict()[name] for name in names}
    found = {name: value for name, value in _backbone_tensors(path).items() if name in wanted}
    misfits = [name for name, value in found.items() if value.shape != wanted[name].shape]
    if misfits or not found:
        reason = "no name agrees"
        if misfits:
            reason = f"{misfits[0]} is {tuple(found[misfits[0]].shape)}, not {tuple(wanted[misfits[0]].shape)}"
        problem = f"does not fit {type(backbone).__name__} ({reason})"
        raise BPRError(f"pretrained {source}: {problem}; set model.pretrained to another or to None")
    backbone.load_state_dict(found, strict=False)
    lacking = sorted(wanted.keys() - found.keys())
    rest = f", random: {some(lacking)}" if lacking else ""
    level = logging.WARNING if lacking else logging.INFO
    print_log(f"pretrained {source}: {len(found)} of {len(wanted)} tensors{rest}", logger="current", level=level)


def mobilenet_v2_state_dict(arrays: Mapping[str, np.ndarray]) -> dict[str, torch.Tensor]:
    """Plain arrays of a MobileNetV2 whose norms were folded into biases -> a state dict with MMSegmentation's names.

    The arrays are ``stem.{weight,bias}`` and ``blocks.{0..16}.{expand,dw,project}.{weight,bias}`` (block 0 has no
    ``expand``), for pixels scaled to [-1, 1]. The stem is changed so that it reads our pixels, normalised with
    ImageNet's constants. Each folded norm comes back as one that adds the bias.

    Raises:
        BPRError: an array is missing.
    """
    tensors = {name: torch.from_numpy(np.asarray(array, np.float32)) for name, array in arrays.items()}
    state: dict[str, torch.Tensor] = {}
    try:
        state |= _convolution("conv1", *_for_our_pixels(tensors["stem.weight"], tensors["stem.bias"]))
        # MMSegmentation's name for the convolutions of each block, with {} for the number of the convolution.
        counts = enumerate(BLOCKS_PER_LAYER, 1)
        names = [f"layer{layer}.{n}.conv.{{}}" for layer, count in counts for n in range(count)]
        for block, name in enumerate(names):
            parts = ("expand", "dw", "project")[not block :]
            for number, part in enumerate(parts):
                folded = (tensors[f"blocks.{block}.{part}.{kind}"] for kind in ("weight", "bias"))
                state |= _convolution(name.format(number), *folded)
    except KeyError as error:
        expected = "expected stem and 17 blocks with weight and bias each"
        raise BPRError(f"MobileNetV2 arrays: {expected}, {error} is missing") from error
    return state


def _for_our_pixels(weight: torch.Tensor, bias: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """p / 127.5 - 1 = (std x + mean) / 127.5 - 1 for our x = (p - mean) / std."""
    rgb = CHANNELS["rgb"]
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (rgb.centre, rgb.spread))
    return weight * std / 127.5, bias + (weight * (mean / 127.5 - 1)).sum((1, 2, 3))


def _convolution(name: str, weight: torch.Tensor, bias: torch.Tensor) -> dict[str, torch.Tensor]:
    """A convolution and the norm behind it, which adds the bias."""
    norm = norm_that_adds(bias, BN_EPS)
    return {f"{name}.conv.weight": weight} | {f"{name}.bn.{part}": value for part, value in norm.items()}


def _backbone_tensors(path: Path) -> dict[str, torch.Tensor]:
    """The tensors of a file under the backbone's names; of a whole network's file, those of its backbone."""
    if path.suffix == ".npz":
        with np.load(path, allow_pickle=False) as arrays:
            return mobilenet_v2_state_dict(arrays)
    state = read_state_dict(path)
    prefix = "backbone."
    inside = {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}
    return inside or state


def _local_file(source: str) -> Path:
    """The file of a source, downloaded into torch's cache unless it is there already."""
    zoo, separator, name = source.partition("://")
    address = source
    if models := ZOOS.get(zoo + separator):
        known = models()
        if name not in known:
            examples = ", ".join(sorted(known)[:3])
            raise BPRError(f"pretrained {source}: the zoo has no {name!r}; expected one like {examples}")
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
            raise BPRError(f"pretrained {source}: {address} is damaged ({error}); try again") from error
    return path
