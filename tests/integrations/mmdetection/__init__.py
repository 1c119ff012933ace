import bpr.training.mmcv_ops  # noqa: F401  (has to be imported before any module of mmdet)
