"""An exported model -> the same in int8, its activations scaled by real patches (static quantization, no training).

Weights get a scale per output channel. ONNX Runtime and OpenVINO run a convolution in int8 where its inputs and outputs
are quantized, and fuse the ReLU (or ReLU6) behind it; sums and resizes between them stay in float. So do the convolutions that read
the picture, whose 8 bits are all signal, and the one that gives the logits, which cost little beside the others.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import helper
from onnxruntime.quantization import CalibrationDataReader, QuantType, quant_pre_process, quantize_static

from bpr.backends.exported import METADATA_KEY
from bpr.backends.onnx_runtime import OnnxPredictor
from bpr.errors import BPRError
from bpr.io.files import atomic_open
from bpr.refinement.predictor import PatchBatch

BATCH = 16
CHECKED = 64
"""Patches kept from calibrating, to compare both models on."""
MOST_CHANGED = 0.01
"""Share of pixels that may change sides: 0.0005 is usual, a range that was set wrong moves far more."""
TOOL = "onnxruntime.quantization, static, QDQ, uint8 activations (min to max), int8 weights per channel"


@dataclass(frozen=True)
class Quantized:
    """What became of a model: convolutions in int8, of all; share of pixels, in patches not calibrated on, that changed sides."""

    convolutions: int
    of: int
    changed: float


def quantize_onnx(model: str | Path, patches: np.ndarray, out: str | Path, calibration: dict[str, Any]) -> Quantized:
    """Write ``out``: what ``model``, a file of ``bpr export``, computes, with its inner convolutions in int8.

    Args:
        patches: (K, S, S, C) uint8, more than :data:`CHECKED`: the last so many are for comparing.
        calibration: where they come from; kept in the file's provenance.

    Raises:
        BPRError: not an exported file, one in int8 already, too few patches, or masks would change too much; nothing is written.
    """
    reference = OnnxPredictor(model)
    if "quantized" in reference.metadata["provenance"]:
        raise BPRError(f"{model}: expected a model in float, got one in int8; quantize the file that it was made of")
    if len(patches) <= CHECKED:
        raise BPRError(f"calibration: expected more than {CHECKED} patches, got {len(patches)}; give more detections")
    with tempfile.TemporaryDirectory() as folder:
        written = Path(folder) / "int8.onnx"
        graph = _quantized(Path(model), patches[:-CHECKED], written)
        convolutions, total = len(_inner_convolutions(graph)), sum(node.op_type == "Conv" for node in graph.node)
        note = {"convolutions": f"{convolutions} of {total}", "tool": TOOL, "calibration": calibration}
        _describe(written, reference.metadata, note)
        changed = _changed_sides(reference, OnnxPredictor(written), patches[-CHECKED:])
        if not changed <= MOST_CHANGED:
            raise BPRError(f"{out}: not written: expected at most {MOST_CHANGED:.0%} of pixels to change sides, got {changed:.1%}")
        with atomic_open(out, "wb") as file:
            file.write(written.read_bytes())
    return Quantized(convolutions, total, changed)


class _Batches(CalibrationDataReader):
    def __init__(self, patches: np.ndarray) -> None:
        self._left: Iterator[np.ndarray] = (patches[start : start + BATCH] for start in range(0, len(patches), BATCH))

    def get_next(self) -> dict[str, np.ndarray] | None:
        batch = next(self._left, None)
        return None if batch is None else {"patches": batch}


def _quantized(model: Path, patches: np.ndarray, out: Path) -> onnx.GraphProto:
    """Write the quantized model; returns the graph that it was made of, weights widened and constants folded."""
    folded = out.with_name("folded.onnx")
    quant_pre_process(str(model), str(folded), skip_symbolic_shape=True)
    graph = onnx.load(str(folded)).graph
    inner = _inner_convolutions(graph)
    if not inner:
        raise BPRError(f"{model}: expected convolutions between its first and its last, got none; nothing to quantize")
    kept = [node.name for node in graph.node if node.op_type == "Conv" and node.name not in inner]
    types = {"activation_type": QuantType.QUInt8, "weight_type": QuantType.QInt8, "per_channel": True}
    # ReLUs and ReLU6s are named so that the tool drops those behind a convolution: a uint8 output that begins at 0 is one.
    operations = ["Conv", "Relu", "Clip"]
    quantize_static(str(folded), str(out), _Batches(patches), op_types_to_quantize=operations, nodes_to_exclude=kept, **types)
    return graph


def _inner_convolutions(graph: onnx.GraphProto) -> set[str]:
    """Names of the convolutions that have another before and another behind them."""
    forwards = [(node, node.input, node.output) for node in graph.node]
    backwards = [(node, node.output, node.input) for node in reversed(graph.node)]
    return _after_a_convolution(forwards) & _after_a_convolution(backwards)


def _after_a_convolution(steps: Sequence[tuple[onnx.NodeProto, Sequence[str], Sequence[str]]]) -> set[str]:
    """Names of the convolutions that another one reaches, of (node, tensors it reads, tensors it writes) in order."""
    reached: set[str] = set()
    found = set()
    for node, reads, writes in steps:
        after = not reached.isdisjoint(reads)
        if node.op_type == "Conv" and after:
            found.add(node.name)
        if node.op_type == "Conv" or after:
            reached.update(writes)
    return found


def _describe(path: Path, metadata: dict[str, Any], note: dict[str, Any]) -> None:
    """The metadata of the original, and in its provenance what was done to it."""
    model = onnx.load(str(path))
    provenance = {**metadata["provenance"], "quantized": note}
    helper.set_model_props(model, {METADATA_KEY: json.dumps({**metadata, "provenance": provenance})})
    used = {node.domain for node in model.graph.node}
    imports = [item for item in model.opset_import if item.domain in used]
    del model.opset_import[:]
    model.opset_import.extend(imports)
    onnx.checker.check_model(model)
    onnx.save(model, str(path))


def _changed_sides(one: OnnxPredictor, other: OnnxPredictor, patches: np.ndarray) -> float:
    """Share of pixels that one predictor calls foreground and the other background."""
    batch = PatchBatch(patches, np.zeros((len(patches), 4), np.int32), [])
    return float(((one.predict(batch) > 0.5) != (other.predict(batch) > 0.5)).mean())
