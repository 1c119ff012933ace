"""MMSegmentation models that look at an image patch together with its mask; registered under the scope ``bpr``."""

from bpr.training import mmcv_lite  # noqa: F401  # isort: skip  (must come before anything of mmseg)
from bpr.training.calibration import CalibrateNormHook
from bpr.training.checkpoints import PlainCheckpointHook
from bpr.training.detail_head import DetailHead
from bpr.training.optim import Bf16OptimWrapper
from bpr.training.patch_segmentor import PatchSegmentor
from bpr.training.preprocessor import PatchPreprocessor
from bpr.training.validation import RefinementValLoop

__all__ = [
    "Bf16OptimWrapper",
    "CalibrateNormHook",
    "DetailHead",
    "PatchPreprocessor",
    "PatchSegmentor",
    "PlainCheckpointHook",
    "RefinementValLoop",
]
