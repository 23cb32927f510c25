"""Whether JACK calls the output as often as the input, by sleeps that are told."""

import threading
from collections.abc import Iterable

from segued.ports.jack_calls import ENOUGH, Comparison, ThreadSleeps, most
from segued.ports.jack_health import threads_now

from tests.support.waiting import wait_for


def looks(*calls: tuple[int, int]) -> list[bool]:
    """What each look says, by how often the input and the output were called before it."""
    comparison = Comparison([5, 100], [100, 3])
    heard = served = 0
    found = []
    for more_heard, more_served in calls:
        heard, served = heard + more_heard, served + more_served
        found.append(comparison.look([5, 100 + heard], [100 + served, 3]))
    return found


def always(calls: tuple[int, int], times: int = 40) -> Iterable[bool]:
    return looks(*[calls] * times)


def test_an_output_that_is_called_as_often_or_half_as_often_is_well() -> None:
    for calls in ((94, 94), (94, 47), (1, 1), (0, 0), (ENOUGH, ENOUGH), (0, 94)):
        assert all(always(calls)), calls


def test_one_that_is_left_out_is_told_from_one_that_was_late_once() -> None:
    assert looks((94, 94), (94, 0), (94, 94), (94, 0), (94, 94)) == [True] * 5
    assert looks((94, 94), (94, 0), (94, 0)) == [True, True, False]


def test_news_of_the_graph_is_no_call() -> None:
    assert looks((94, 8), (94, 20)) == [True, False]


def test_with_the_longest_period_it_takes_more_looks() -> None:
    assert looks(*[(2, 0)] * 15) == [True] * 15  # 186 ms each: not twice ENOUGH calls
    assert not looks(*[(2, 0)] * 16)[-1]


def test_the_busiest_thread_counts() -> None:
    assert most([5, 100], [9, 103]) == 4
    assert most([], []) == 0


def test_a_threads_sleeps_are_counted_until_it_ends() -> None:
    before, bell, end = threads_now(), threading.Event(), threading.Event()

    def sleeper() -> None:
        while not end.is_set():
            bell.wait(0.001)

    thread = threading.Thread(target=sleeper)
    thread.start()
    sleeps = ThreadSleeps(threads_now() - before)
    assert len(sleeps) == 1
    first = sleeps.read()
    wait_for(lambda: most(first, sleeps.read()) > 10)
    end.set()
    thread.join()
    wait_for(lambda: sleeps.read() == [-1])
    sleeps.close()
    assert len(sleeps) == 0
