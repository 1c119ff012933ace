import threading
import time

import pytest

from bpr.refinement.pipeline import ordered_map


@pytest.mark.parametrize("workers", [0, 1, 4])
def test_results_come_in_the_order_of_the_items(workers: int) -> None:
    def slow_when_even(x: int) -> int:
        time.sleep(0.002 * (x % 2 == 0))
        return x

    assert list(ordered_map(slow_when_even, range(40), workers)) == list(range(40))


def test_producers_wait_for_a_slow_consumer() -> None:
    started = []
    lock = threading.Lock()

    def note(x: int) -> int:
        with lock:
            started.append(x)
        return x

    results = ordered_map(note, range(1000), workers=2, ahead=4)
    next(results)
    time.sleep(0.05)
    assert len(started) <= 5


def test_an_error_reaches_the_consumer() -> None:
    def fail(x: int) -> int:
        if x == 3:
            raise RuntimeError("three")
        return x

    with pytest.raises(RuntimeError, match="three"):
        list(ordered_map(fail, range(10), workers=2))
