"""MMDetection with the refiner behind its detectors; registered under the scope ``bpr``."""

import bpr.models  # noqa: F401  (must come before anything of mmdet)  # isort: skip
from bpr.detection.before_after import BeforeAfterEvaluator
from bpr.detection.recorded_detector import RecordedDetector
from bpr.detection.refined_detector import RefinedDetector

__all__ = ["BeforeAfterEvaluator", "RecordedDetector", "RefinedDetector"]
