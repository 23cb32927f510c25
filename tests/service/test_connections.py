"""When ports that are not there are looked for, under a clock that jumps."""

import itertools

from segued.service.connections import LONGEST_PAUSE, SHORTEST_PAUSE, Connections, State

from tests.support.fakes import settings

PORTS = settings("ports.input=Keys").ports
TURN = 1 / 16  # seconds between looks: exact in binary
OPENING = 1 / 8  # seconds that an attempt takes


def attempts(connections: Connections, now: float, seconds: float) -> list[float]:
    """Moments at which it tries, none of them with success."""
    end, found = now + seconds, []
    while now < end:
        if connections.due(now):
            found.append(now)
            connections.failed("no Keys", now + OPENING)
        now += TURN
    return found


def test_it_looks_at_once_then_less_and_less_often_but_within_two_seconds() -> None:
    connections = Connections(PORTS)
    assert connections.state is State.WAITING and connections.due(0.0)
    tried = attempts(connections, 0.0, 3600.0)
    pauses = [b - a - OPENING for a, b in itertools.pairwise(tried)]
    assert SHORTEST_PAUSE <= pauses[0] < SHORTEST_PAUSE + TURN
    assert all(later >= earlier - TURN for earlier, later in itertools.pairwise(pauses))
    assert LONGEST_PAUSE <= max(pauses) < LONGEST_PAUSE + TURN < 2.0 - 2 * OPENING
    assert len(tried) < 3600.0 / LONGEST_PAUSE + 20
    assert connections.missing == "no Keys"


def test_ports_that_are_there_are_not_looked_for() -> None:
    connections = Connections(PORTS)
    connections.failed("no Keys", 0.0)
    connections.opened("alsa")
    assert connections.state is State.CONNECTED and connections.missing == ""
    assert attempts(connections, 0.0, 100.0) == []


def test_lost_ports_are_waited_for_where_they_were_and_looked_for_often_at_first() -> None:
    connections = Connections(PORTS)
    attempts(connections, 0.0, 100.0)
    connections.opened("jack")
    connections.lost(200.0)
    assert connections.state is State.LOST and connections.ports.backend == "jack"
    assert attempts(connections, 200.0, 0.5) == [200.0, 200.375]


def test_other_ports_are_looked_for_at_once_on_any_backend() -> None:
    connections = Connections(PORTS)
    connections.opened("jack")
    connections.lost(10.0)
    attempts(connections, 10.0, 100.0)
    other = settings("ports.input=Other").ports
    connections.change(other, 111.0)
    assert connections.due(111.0) and connections.ports == other
    assert connections.state is State.WAITING and connections.missing == ""


def test_what_is_waited_for_by_something_else_is_asked_for_often_for_ever() -> None:
    connections = Connections(PORTS)
    connections.lost(0.0)
    connections.failed("no server", 3600.0, watched=True)
    assert connections.due(3600.0 + SHORTEST_PAUSE)
    connections.failed("no Keys", 3601.0)
    assert not connections.due(3601.0 + SHORTEST_PAUSE)
    assert connections.due(3601.0 + LONGEST_PAUSE)
