"""MMDetection's detectors with the refiner behind them; registered under the scope ``bpr``.

The configs of ``configs/detection`` run in MMDetection's own tools, like any of its configs:

    python MMDETECTION/tools/test.py configs/detection/mask-rcnn_r50_fpn_1x_coco_bpr-starter.py mask_rcnn.pth

prints every metric before and after refining. MMDetection's tools need an mmcv with compiled operators. With mmcv-lite
they run where ``bpr.training.mmcv_ops`` is imported first:

    python -c "import bpr.training.mmcv_ops, runpy, sys; sys.argv = sys.argv[1:]; \\
        runpy.run_path(sys.argv[0], run_name='__main__')" MMDETECTION/tools/test.py CONFIG.py DETECTOR.pth
"""

from bpr.training import mmcv_ops  # noqa: F401  # isort: skip  (has to be imported before any module of mmdet)
from bpr.integrations.mmdetection.before_after import BeforeAfterEvaluator
from bpr.integrations.mmdetection.recorded_detector import RecordedDetector
from bpr.integrations.mmdetection.refined_detector import RefinedDetector

__all__ = ["BeforeAfterEvaluator", "RecordedDetector", "RefinedDetector"]
