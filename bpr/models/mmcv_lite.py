"""Let MMSegmentation import beside mmcv-lite, which has no compiled ops.

``mmseg.models`` imports names from ``mmcv.ops`` that none of our models uses. Where mmcv was installed without its
ops, a stand-in module hands out classes that only fail once somebody builds one. A full mmcv is left alone.
"""

from __future__ import annotations

import importlib.machinery
import importlib.util
import sys
import warnings
from types import ModuleType
from typing import Any


class _OpsStandIn(ModuleType):
    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)

        def missing(self: Any, *args: Any, **kwargs: Any) -> None:
            raise ImportError(f"mmcv.ops.{name} needs mmcv with compiled ops; this environment has mmcv-lite")

        return type(name, (), {"__init__": missing})


def _install_stand_in() -> None:
    # mmcv-lite warns on import of what it lacks; none of our models uses it.
    warnings.filterwarnings("ignore", message="Fail to import ``MultiScaleDeformableAttention``")
    if importlib.util.find_spec("mmcv._ext") is None and "mmcv.ops" not in sys.modules:
        stand_in = _OpsStandIn("mmcv.ops")
        stand_in.__spec__ = importlib.machinery.ModuleSpec("mmcv.ops", loader=None)
        stand_in.__path__ = []
        sys.modules["mmcv.ops"] = stand_in


_install_stand_in()
