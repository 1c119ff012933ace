import bpr.training  # noqa: F401  (must come before anything of mmdet)
