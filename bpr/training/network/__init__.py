"""The refinement network: a backbone and a head of MMSegmentation that read an image patch together with its mask."""

from bpr.training import mmcv_ops  # noqa: F401  # isort: skip  (has to be imported before any module of mmseg)
from bpr.training.network.preprocessor import PatchPreprocessor
from bpr.training.network.segmentor import PatchSegmentor, build_segmentor, load_segmentor

__all__ = ["PatchPreprocessor", "PatchSegmentor", "build_segmentor", "load_segmentor"]
