"""A file that would say something else than the network is not written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from bpr.backends.onnx_runtime import OnnxPredictor
from bpr.errors import BPRError
from bpr.geometry.options import PatchSpec, RefineOptions
from bpr.refinement.predictor import PatchBatch
from bpr.training.export.to_onnx import Parity, export_onnx
from bpr.training.network.preprocessor import PatchPreprocessor

CUT = PatchSpec(side=16, padding=4), RefineOptions()


class OneConvolution(nn.Module):
    """The least that exports: preprocessing, a convolution, a sigmoid."""

    def __init__(self, gain: float) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.data_preprocessor = PatchPreprocessor(24)
        self.convolution = nn.Conv2d(4, 8, 3, padding=1)
        self.gain = 1 / gain
        with torch.no_grad():
            self.convolution.weight *= gain

    def probabilities(self, patches: torch.Tensor) -> torch.Tensor:
        inputs = self.data_preprocessor.normalise(patches.permute(0, 3, 1, 2))
        return torch.sigmoid(self.convolution(inputs).mean(1) * self.gain)


def test_the_measured_parity_is_that_of_the_file(tmp_path: Path) -> None:
    network = OneConvolution(gain=1)
    parity = export_onnx(network, *CUT, tmp_path / "model.onnx", {})
    patches = np.random.default_rng(5).integers(0, 256, (64, 24, 24, 4), dtype=np.uint8)
    with torch.inference_mode():
        expected = network.probabilities(torch.from_numpy(patches)).numpy()
    predictor = OnnxPredictor(tmp_path / "model.onnx")
    difference = np.abs(predictor.predict(PatchBatch(patches, np.zeros((64, 4), np.int32), [])) - expected).max()
    assert parity.graph < 1e-6 < parity.stored
    assert parity.stored / 2 < difference < 2 * parity.stored
    assert predictor.metadata["parity"] == {"graph": parity.graph, "stored": parity.stored}


@pytest.mark.filterwarnings("ignore:overflow encountered")
def test_weights_that_half_precision_cannot_hold_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BPRError, match=r"not written: expected the probabilities of the stored model within 0\.05"):
        export_onnx(OneConvolution(gain=1e8), *CUT, tmp_path / "model.onnx", {})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("parity", [Parity(1e-3, 1e-3), Parity(0.0, 0.1), Parity(0.0, float("nan"))])
def test_a_difference_that_shows_is_refused(parity: Parity) -> None:
    with pytest.raises(BPRError, match=r"model\.onnx: not written"):
        parity.check("model.onnx")
