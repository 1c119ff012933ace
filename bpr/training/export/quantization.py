"""An exported model in int8: the ranges of its activations are measured on real patches (static, without training).

Weights get a scale per output channel. ONNX Runtime and OpenVINO run a convolution in int8 where its inputs and outputs
are quantized, and fuse the ReLU (or ReLU6) behind it; sums and resizes between convolutions stay in float. So do the
first convolutions, which read the image and need all of its 8 bits, and the last one, which gives the logits: they are
cheap compared with the others.

Legend: K patches, S window side, C channels.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import helper
from onnxruntime.quantization import CalibrationDataReader, QuantType, quant_pre_process, quantize_static

from bpr.backends.exported import METADATA_KEY
from bpr.backends.onnx_runtime import OnnxPredictor
from bpr.errors import BadImage, BadMask, BPRError
from bpr.formats.coco import Record
from bpr.formats.photos import read_photo
from bpr.geometry.options import PatchSpec, RefineOptions
from bpr.io.files import atomic_open
from bpr.io.image_finder import ImageFinder
from bpr.refinement.predictor import IdentityPredictor, Instance, PatchBatch
from bpr.refinement.refiner import Refiner

FROM_EACH = 4
"""Patches of one instance look alike, so a few are taken from each of many instances."""
BATCH = 16
HELD_OUT = 64
"""Patches on which both models are compared; they are not calibrated on."""
MOST_CHANGED = 0.01
"""Share of pixels that may change sides. 0.0005 is usual; a wrong range changes many times more."""
TOOL = "onnxruntime.quantization, static, QDQ, uint8 activations (min to max), int8 weights per channel"


def draw_patches(
    records: Sequence[Record], images: ImageFinder, spec: PatchSpec, options: RefineOptions, count: int, seed: int = 0
) -> np.ndarray:
    """(K, S, S, C) uint8: at most ``count`` patches, a few from each of randomly drawn detections.

    Detections that cannot be refined are skipped, as in refining.

    Raises:
        BPRError: no detection gives a patch.
    """
    rng, refiner = np.random.default_rng(seed), Refiner(IdentityPredictor(spec), replace(options, caution=0.0))
    drawn: list[np.ndarray] = []
    for index in rng.permutation(len(records)).tolist():
        if len(drawn) >= count:
            break
        record = records[index]
        try:
            photo = read_photo(images, record["image_id"], [record["segmentation"]])
            instance = Instance(photo.mask(record["segmentation"]))
        except (BadImage, BadMask):
            continue
        drawn.extend(rng.permutation(refiner.cut(photo.pixels, [instance], None).batch.patches)[:FROM_EACH])
    if not drawn:
        raise BPRError(
            f"calibration: expected detections that give patches, got none from {len(records)} records; check --img-dir"
        )
    return rng.permutation(np.stack(drawn[:count]))


def quantize_onnx(
    model: str | Path, patches: np.ndarray, out: str | Path, calibration: dict[str, Any]
) -> tuple[str, float]:
    """Write ``out``: the network of ``model``, a file that ``bpr export`` wrote, with its inner convolutions in int8.

    Args:
        patches: (K, S, S, C) uint8, more than :data:`HELD_OUT`; the last :data:`HELD_OUT` are for the comparison.
        calibration: where the patches come from, for the file's provenance.

    Returns:
        How many convolutions are in int8 now, such as "8 of 10", and the share of the pixels of the held-out patches
        that changed sides.

    Raises:
        BPRError: not an exported file, already in int8, too few patches, or masks would change too much; nothing is
            written.
    """
    reference = OnnxPredictor(model)
    if "quantized" in reference.metadata["provenance"]:
        raise BPRError(f"{model}: expected a model in float, got one in int8; quantize the file that it was made of")
    if len(patches) <= HELD_OUT:
        raise BPRError(f"calibration: expected more than {HELD_OUT} patches, got {len(patches)}; give more detections")
    with tempfile.TemporaryDirectory() as folder:
        written = Path(folder) / "int8.onnx"
        graph = _quantized(Path(model), patches[:-HELD_OUT], written)
        in_int8 = f"{len(_inner_convolutions(graph))} of {sum(node.op_type == 'Conv' for node in graph.node)}"
        note = {"convolutions": in_int8, "tool": TOOL, "calibration": calibration}
        _add_metadata(written, reference.metadata, note)
        held_out = PatchBatch(patches[-HELD_OUT:], np.zeros((HELD_OUT, 4), np.int32), [])
        before, after = (predictor.predict(held_out) > 0.5 for predictor in (reference, OnnxPredictor(written)))
        changed = float((before != after).mean())
        if not changed <= MOST_CHANGED:
            raise BPRError(
                f"{out}: not written: expected at most {MOST_CHANGED:.0%} of pixels to change sides, got {changed:.1%}"
            )
        with atomic_open(out, "wb") as file:
            file.write(written.read_bytes())
    return in_int8, changed


class _Batches(CalibrationDataReader):
    def __init__(self, patches: np.ndarray) -> None:
        self._batches: Iterator[np.ndarray] = (patches[at : at + BATCH] for at in range(0, len(patches), BATCH))

    def get_next(self) -> dict[str, np.ndarray] | None:
        batch = next(self._batches, None)
        return None if batch is None else {"patches": batch}


def _quantized(model: Path, patches: np.ndarray, out: Path) -> onnx.GraphProto:
    """Write the quantized model; returns the graph it was made from, with weights widened and constants folded."""
    folded = out.with_name("folded.onnx")
    quant_pre_process(str(model), str(folded), skip_symbolic_shape=True)
    graph = onnx.load(str(folded)).graph
    inner = _inner_convolutions(graph)
    if not inner:
        raise BPRError(f"{model}: expected convolutions between its first and its last, got none; nothing to quantize")
    quantize_static(
        str(folded),
        str(out),
        _Batches(patches),
        # ReLU and ReLU6 (Clip) are listed so that the tool removes those behind a convolution: a uint8 output whose
        # range starts at 0 does the same.
        op_types_to_quantize=["Conv", "Relu", "Clip"],
        nodes_to_exclude=[node.name for node in graph.node if node.op_type == "Conv" and node.name not in inner],
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        per_channel=True,
    )
    return graph


def _inner_convolutions(graph: onnx.GraphProto) -> set[str]:
    """Names of the convolutions that have another one before and another one behind them."""
    forwards = [(node, node.input, node.output) for node in graph.node]
    backwards = [(node, node.output, node.input) for node in reversed(graph.node)]
    return _after_a_convolution(forwards) & _after_a_convolution(backwards)


def _after_a_convolution(steps: Sequence[tuple[onnx.NodeProto, Sequence[str], Sequence[str]]]) -> set[str]:
    """Names of the convolutions whose input depends on another one.

    Args:
        steps: (node, tensors it reads, tensors it writes) in the order of execution.
    """
    reached: set[str] = set()
    names = set()
    for node, reads, writes in steps:
        after = not reached.isdisjoint(reads)
        if node.op_type == "Conv" and after:
            names.add(node.name)
        if node.op_type == "Conv" or after:
            reached.update(writes)
    return names


def _add_metadata(path: Path, metadata: dict[str, Any], note: dict[str, Any]) -> None:
    """Give the file the original's metadata, with a note on the quantization in its provenance."""
    model = onnx.load(str(path))
    provenance = {**metadata["provenance"], "quantized": note}
    helper.set_model_props(model, {METADATA_KEY: json.dumps({**metadata, "provenance": provenance})})
    # The tool imports operator sets that no node uses.
    used = {node.domain for node in model.graph.node}
    imports = [item for item in model.opset_import if item.domain in used]
    del model.opset_import[:]
    model.opset_import.extend(imports)
    onnx.checker.check_model(model)
    onnx.save(model, str(path))
