"""Whether JACK calls both clients, by sleeps that are told and by those of real threads."""

import mmap
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from segued.ports import jack_calls
from segued.ports.jack_calls import (
    ENOUGH,
    LONGEST_WINDOW,
    WINDOW,
    Called,
    Threads,
    judge,
    left_behind,
    most,
)
from segued.ports.jack_health import JackHealth, threads_now

from tests.support.waiting import wait_for


def test_the_semaphore_of_a_client_that_has_left_shows(tmp_path: Path) -> None:
    assert not left_behind()
    semaphore = tmp_path / "jack_sem.0_default_lsp"
    semaphore.write_bytes(bytes(64))
    with semaphore.open("r+b") as file, mmap.mmap(file.fileno(), 0):
        assert not left_behind()
        semaphore.unlink()
        assert left_behind()
    assert not left_behind()


@contextmanager
def looping(seconds: float) -> Iterator[set[int]]:
    """A thread that sleeps again and again for so long; its number."""
    before, end = threads_now(), threading.Event()

    def loop() -> None:
        while not end.is_set():
            time.sleep(seconds)

    thread = threading.Thread(target=loop)
    thread.start()
    try:
        yield threads_now() - before
    finally:
        end.set()
        thread.join()


@pytest.mark.parametrize(
    ("calls", "seconds", "called"),
    [
        ((0, 0), 0.0, None),
        ((ENOUGH, ENOUGH), 0.02, Called.BOTH),
        ((ENOUGH, 3 * ENOUGH), 0.02, None),  # the other one began late, or is told news
        ((100, 300), WINDOW, Called.BOTH),
        ((0, 20), 0.02, None),
        ((0, 190), WINDOW, Called.ONE),
        ((190, 0), WINDOW, Called.ONE),
        ((12, 190), WINDOW, Called.ONE),  # news of clients that come and go are no calls
        ((3, 3), WINDOW, None),
        ((5, 5), LONGEST_WINDOW, Called.BOTH),  # the longest period, 0.19 s
        ((0, 5), LONGEST_WINDOW, Called.ONE),
        ((0, 0), LONGEST_WINDOW, Called.NONE),
    ],
)
def test_the_judgement(calls: tuple[int, int], seconds: float, called: Called | None) -> None:
    assert judge(calls, seconds) is called


def test_of_several_threads_the_busiest_is_the_one_that_is_called() -> None:
    assert most([5, 100], [9, 103]) == 4
    assert most([5, 100], [9, -1]) == 4
    assert most([], []) == 0


def test_clients_are_judged_by_their_threads() -> None:
    with looping(0.002) as plays, looping(0.002) as sings, looping(0.3) as idles:
        assert JackHealth(set(), plays, sings).called() is Called.BOTH
        assert JackHealth(set(), plays, idles).called() is Called.ONE
        assert JackHealth(set(), idles, plays).called() is Called.ONE
        assert JackHealth(set(), plays).called() is Called.BOTH, "nothing is known"


def test_a_server_that_dies_meanwhile_is_not_waited_for() -> None:
    with looping(0.3) as idles:
        threads = Threads(idles)
        began = time.monotonic()
        assert jack_calls.watch(threads, threads, lambda: False) is Called.NONE
        assert time.monotonic() - began < WINDOW
        threads.close()


def test_a_thread_rests_when_it_sleeps_and_when_it_has_ended() -> None:
    with looping(0.002) as sleeps:
        threads = Threads(sleeps)
        first = threads.sleeps()
        wait_for(lambda: most(first, threads.sleeps()) > 10)
        assert threads.rest(5.0)
    wait_for(lambda: threads.sleeps() == [-1])
    assert threads.rest(0.0)
    threads.close()
    assert len(threads) == 0


def test_a_thread_that_runs_does_not_rest() -> None:
    running = Threads({threading.get_native_id()})  # this one, which runs as it looks
    assert not running.rest(0.01)
    running.close()
