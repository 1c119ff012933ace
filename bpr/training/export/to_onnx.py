"""PyTorch -> one ONNX file that needs no config: preprocessing is in the graph, options and origin in the metadata.

Legend: K patches, S window side, C channels.
"""

from __future__ import annotations

import copy
import json
import logging
import time
import warnings
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.utils.fusion import fuse_conv_bn_eval

from bpr.backends.exported import METADATA_KEY, METADATA_VERSION
from bpr.errors import BPRError
from bpr.geometry.options import PatchSpec, RefineOptions, to_dict
from bpr.io.files import atomic_open, sha256_of
from bpr.training.network.preprocessor import PatchPreprocessor
from bpr.training.network.segmentor import PatchSegmentor

SMALLEST_HALVED = 64
"""Weights of fewer numbers stay in float32: they are norms and biases, and too small to matter."""
PARITY_PATCHES = 4
GRAPH_LIMIT = 1e-4
"""Float32 sums in another order usually differ by 1e-6."""
STORED_LIMIT = 0.05
"""Half precision changes a weight by 1 part in 2048. The largest difference seen was 2e-2, of an untrained network;
a weight that was lost gives more."""


class _Probabilities(nn.Module):
    def __init__(self, segmentor: PatchSegmentor) -> None:
        super().__init__()
        self.segmentor = segmentor

    def forward(self, patches: torch.Tensor) -> torch.Tensor:
        return self.segmentor.probabilities(patches)


@dataclass(frozen=True)
class Parity:
    """The largest difference of a probability from torch's on random patches.

    Attributes:
        graph: of the exported graph with float32 weights.
        stored: of the graph with the half-precision weights that the file stores.
    """

    graph: float
    stored: float

    def check(self, out: str | Path) -> None:
        """Raise a BPRError where the file would differ from the network."""
        for name, difference, limit in (("graph", self.graph, GRAPH_LIMIT), ("stored", self.stored, STORED_LIMIT)):
            if not difference <= limit:  # so that NaN fails too
                raise BPRError(
                    f"{out}: not written: expected the probabilities of the {name} model within {limit:g} of torch's "
                    f"on random patches, got {difference:.2g}; look for weights that half precision cannot hold, "
                    "or take the versions of requirements.txt"
                )


def provenance_of(
    config: str | Path, checkpoint: str | Path, trained_on: str | None, versions: Mapping[str, str | None]
) -> dict[str, Any]:
    """Where the weights of an exported file come from.

    Args:
        config: of the network.
        trained_on: a note on the training data.
        versions: of the packages.
    """
    names = {"config": Path(config).name, "checkpoint": Path(checkpoint).name}
    origin = {"checkpoint_sha256": sha256_of(checkpoint), "trained_on": trained_on}
    return {**names, **origin, "versions": dict(versions), "date": time.strftime("%Y-%m-%d")}


def export_onnx(
    segmentor: PatchSegmentor, spec: PatchSpec, recommended: RefineOptions, out: str | Path, provenance: dict[str, Any]
) -> Parity:
    """Write ``out``: input ``patches`` (K, S, S, C) uint8, output ``probability`` (K, S, S) float32, K free.

    Weights are stored in half precision and widened when the file is loaded: half the size, float32 arithmetic.

    Args:
        spec: how the network's patches are cut.
        recommended: the options to refine with.
        provenance: what :func:`provenance_of` gives, for the metadata.

    Raises:
        BPRError: the probabilities of the file would differ from the network's; nothing is written.
    """
    # Noise, because it is harder on rounding than photographs are.
    shape = (PARITY_PATCHES, spec.window, spec.window, spec.channels)
    patches = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    with torch.inference_mode():
        expected = segmentor.probabilities(torch.from_numpy(patches)).numpy()
    model = _to_onnx(segmentor, patches)
    graph = _difference(model, patches, expected)
    _store_weights_in_half(model.graph)
    parity = Parity(graph, _difference(model, patches, expected))
    parity.check(out)
    metadata = _metadata(segmentor.data_preprocessor, to_dict(spec, recommended), parity, provenance)
    helper.set_model_props(model, {METADATA_KEY: json.dumps(metadata)})
    onnx.checker.check_model(model)
    with atomic_open(out, "wb") as file:
        file.write(model.SerializeToString())
    return parity


def _to_onnx(segmentor: PatchSegmentor, patches: np.ndarray) -> onnx.ModelProto:
    """The network with its preprocessing, in float32."""
    # torch warns about its own deprecated calls, and that torchvision, which nothing here needs, is not installed.
    logging.getLogger("torch.onnx._internal.exporter._registration").setLevel(logging.ERROR)
    # The exporter folds norms too, but slowly. A stem's norm belongs to two convolutions.
    network = copy.deepcopy(_Probabilities(segmentor)).eval()
    for module in list(network.modules()):
        for (name, convolution), (norm_name, norm) in pairwise(module.named_children()):
            if type(convolution) is nn.Conv2d and isinstance(norm, _BatchNorm):
                setattr(module, name, fuse_conv_bn_eval(convolution, norm))
                setattr(module, norm_name, nn.Identity())
        # It takes several times as long for an activation in place as for one that gives a new tensor.
        if hasattr(module, "inplace"):
            module.inplace = False
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        program = torch.onnx.export(
            network,
            (torch.from_numpy(patches),),
            dynamo=True,
            opset_version=18,
            input_names=["patches"],
            output_names=["probability"],
            dynamic_shapes=({0: torch.export.Dim("batch", min=1)},),
            verbose=False,
        )
    model = program.model_proto
    # The exporter notes for each node which source line it comes from: paths of this machine, an eighth of the file.
    graph = model.graph
    for item in (*graph.node, *graph.value_info, *graph.initializer, *graph.input, *graph.output):
        del item.metadata_props[:]
        item.doc_string = ""
    return model


def _difference(model: onnx.ModelProto, patches: np.ndarray, expected: np.ndarray) -> float:
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return float(np.abs(session.run(["probability"], {"patches": patches})[0] - expected).max())


def _store_weights_in_half(graph: onnx.GraphProto) -> None:
    """Replace every large float32 initializer by a float16 one and a cast, which the runtime folds when it loads."""
    casts = []
    for tensor in graph.initializer:
        if tensor.data_type == TensorProto.FLOAT and np.prod(tensor.dims) >= SMALLEST_HALVED:
            name = tensor.name
            half = numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float16), f"{name}.half")
            tensor.CopyFrom(half)
            casts.append(helper.make_node("Cast", [half.name], [name], name=f"{name}.widen", to=TensorProto.FLOAT))
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)


def _metadata(
    preprocessor: PatchPreprocessor, options: dict[str, Any], parity: Parity, provenance: dict[str, Any]
) -> dict[str, Any]:
    """The facts that a reader needs. The constants of the preprocessing are in the graph, and repeated here."""
    values = {"mean": preprocessor.mean, "std": preprocessor.std}
    constants = {name: [round(one, 3) for one in tensor.flatten().tolist()] for name, tensor in values.items()}
    return {
        "version": METADATA_VERSION,
        "scheme": options,
        "input_side": preprocessor.input_side,
        "preprocessing": {"inputs": list(preprocessor.inputs), **constants},
        "parity": asdict(parity),
        "provenance": provenance,
    }
