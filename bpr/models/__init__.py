"""MMSegmentation models that look at an image patch together with its mask; registered under the scope ``bpr``."""

from bpr.models import mmcv_lite  # noqa: F401  # isort: skip  (must come before anything of mmseg)
from bpr.models.calibration import CalibrateNormHook
from bpr.models.checkpoints import PlainCheckpointHook
from bpr.models.optim import Bf16OptimWrapper
from bpr.models.patch_segmentor import PatchSegmentor
from bpr.models.preprocessor import PatchPreprocessor
from bpr.models.validation import RefinementValLoop

__all__ = ["Bf16OptimWrapper", "CalibrateNormHook", "PatchPreprocessor", "PatchSegmentor", "PlainCheckpointHook", "RefinementValLoop"]
