import bpr.models  # noqa: F401  (must come before anything of mmdet)
