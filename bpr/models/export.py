"""PyTorch -> one ONNX file that needs no config: preprocessing in the graph, scheme and provenance in the metadata."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from bpr.backends.onnx_runtime import METADATA_KEY, METADATA_VERSION
from bpr.formats.files import atomic_open
from bpr.geometry.scheme import PatchScheme
from bpr.models.patch_segmentor import PatchSegmentor

SMALLEST_HALVED = 64


class _Probabilities(nn.Module):
    def __init__(self, segmentor: PatchSegmentor) -> None:
        super().__init__()
        self.segmentor = segmentor

    def forward(self, patches: torch.Tensor) -> torch.Tensor:
        return self.segmentor.probabilities(patches)


def export_onnx(segmentor: PatchSegmentor, scheme: PatchScheme, out: str | Path, provenance: dict[str, Any]) -> None:
    """Write ``out``: input ``patches`` (K, S, S, C) uint8, output ``probability`` (K, S, S) float32, K free.

    Weights are stored in half precision and widened when the file is loaded: half the size, float32 arithmetic.
    """
    example = torch.zeros(2, scheme.window, scheme.window, scheme.channels, dtype=torch.uint8)
    batch = torch.export.Dim("batch", min=1)
    program = torch.onnx.export(
        _Probabilities(segmentor).eval(),
        (example,),
        dynamo=True,
        opset_version=18,
        input_names=["patches"],
        output_names=["probability"],
        dynamic_shapes=({0: batch},),
        verbose=False,
    )
    model = program.model_proto
    _drop_traces(model.graph)
    _store_weights_in_half(model.graph)
    metadata = {
        "version": METADATA_VERSION,
        "scheme": scheme.to_dict(),
        "input_side": segmentor.data_preprocessor.input_side,
        "provenance": provenance,
    }
    helper.set_model_props(model, {METADATA_KEY: json.dumps(metadata)})
    onnx.checker.check_model(model)
    with atomic_open(out, "wb") as file:
        file.write(model.SerializeToString())


def _drop_traces(graph: onnx.GraphProto) -> None:
    """The exporter notes where in the source each node comes from: paths of this machine, and an eighth of the file."""
    for item in (*graph.node, *graph.value_info, *graph.initializer, *graph.input, *graph.output):
        del item.metadata_props[:]
        item.doc_string = ""


def _store_weights_in_half(graph: onnx.GraphProto) -> None:
    """Replace every large float32 initializer by its float16 and a cast, which the runtime folds at loading."""
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
