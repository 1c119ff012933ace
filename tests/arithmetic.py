"""A fixture that runs a test twice: on numpy and OpenCV alone, and with the compiled loops."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bpr.compiled import uncompiled


@pytest.fixture(autouse=True, params=["numpy", "compiled"])
def arithmetic(request: pytest.FixtureRequest) -> Iterator[None]:
    if request.param == "compiled":
        pytest.importorskip("numba")
        yield
    else:
        with uncompiled():
            yield
