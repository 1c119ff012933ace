"""Callers of a refiner have their turns in the order they came."""

from __future__ import annotations

import os
import signal
import threading
import time

import pytest

from bpr.refinement.turns import Turns


def test_a_thread_that_asks_again_waits_behind_the_others() -> None:
    turns, entered, threads = Turns(1), [], []

    def wait(name: str) -> None:
        with turns:
            entered.append(name)

    with turns:
        for number, name in enumerate("abc", start=1):
            threads.append(threading.Thread(target=wait, args=(name,)))
            threads[-1].start()
            while len(turns._waiting) < number:
                time.sleep(0.001)
    wait("again")
    for thread in threads:
        thread.join()
    assert entered == ["a", "b", "c", "again"]


def test_no_more_than_the_count_are_inside() -> None:
    turns, inside, most, lock = Turns(2), 0, 0, threading.Lock()

    def work() -> None:
        nonlocal inside, most
        for _ in range(20):
            with turns:
                with lock:
                    inside += 1
                    most = max(most, inside)
                time.sleep(0.001)
                with lock:
                    inside -= 1

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 2
    with turns, turns:
        pass  # all turns are free again


def test_an_interrupted_wait_takes_no_turn(request: pytest.FixtureRequest) -> None:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # tests that run in the background ignore it
    request.addfinalizer(lambda: signal.signal(signal.SIGINT, before))
    turns = Turns(1)

    def interrupt() -> None:
        while not turns._waiting:
            time.sleep(0.001)
        time.sleep(0.05)  # it waits for its gate now
        os.kill(os.getpid(), signal.SIGINT)

    with turns:
        thread = threading.Thread(target=interrupt)
        thread.start()
        with pytest.raises(KeyboardInterrupt), turns:
            pass
        thread.join()
    assert not turns._waiting
    with turns:
        pass
