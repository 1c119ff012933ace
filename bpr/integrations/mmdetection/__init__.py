"""MMDetection with the refiner behind its detectors; registered under the scope ``bpr``."""

import bpr.training  # noqa: F401  (must come before anything of mmdet)  # isort: skip
from bpr.integrations.mmdetection.before_after import BeforeAfterEvaluator
from bpr.integrations.mmdetection.recorded_detector import RecordedDetector
from bpr.integrations.mmdetection.refined_detector import RefinedDetector

__all__ = ["BeforeAfterEvaluator", "RecordedDetector", "RefinedDetector"]
