"""Trainings of different tests share nothing."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from mmengine.logging import MessageHub, MMLogger
from mmengine.visualization import Visualizer


@pytest.fixture(autouse=True)
def _names_are_free_again() -> Iterator[None]:
    """MMEngine names a training by its config and the second in which it begins, and hands out what has that name."""
    yield
    for kind in (MessageHub, MMLogger, Visualizer, *Visualizer.__subclasses__()):
        kind._instance_dict.clear()
