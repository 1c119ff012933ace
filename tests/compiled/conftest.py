import pytest


@pytest.fixture(autouse=True)
def needs_numba() -> None:
    pytest.importorskip("numba")
