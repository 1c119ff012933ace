"""Let MMSegmentation and MMDetection run beside mmcv-lite, which has no compiled ops.

mmcv-lite has the Python of ``mmcv.ops`` without the library below it, ``mmcv._ext``. Where that is missing, a stand-in
takes its place: non-maximum suppression and RoIAlign run in plain torch, whatever else is called says what it needs. A
full mmcv is left alone.
"""

from __future__ import annotations

import importlib.machinery
import importlib.util
import sys
from types import ModuleType
from typing import Any, NoReturn

from bpr.training import plain_ops


class _ExtStandIn(ModuleType):
    nms, roi_align_forward = staticmethod(plain_ops.nms), staticmethod(plain_ops.roi_align_forward)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)

        def missing(*args: Any, **kwargs: Any) -> NoReturn:
            raise ImportError(f"{name} needs mmcv with compiled ops; this environment has mmcv-lite")

        return missing


def _install_stand_in() -> None:
    if importlib.util.find_spec("mmcv._ext") is None:
        stand_in = _ExtStandIn("mmcv._ext")
        stand_in.__spec__ = importlib.machinery.ModuleSpec("mmcv._ext", loader=None)
        sys.modules["mmcv._ext"] = stand_in


_install_stand_in()
