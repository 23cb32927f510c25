"""The service manager's protocol, against a real datagram socket."""

import contextlib
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from segued.service.sd_notify import Notifier


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[socket.socket, str]]:
    """A service manager's end, and its address as NOTIFY_SOCKET tells it."""
    name = str(tmp_path / "notify") if request.param == "path" else f"@segue-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as end:
        end.bind(name.replace("@", "\0", 1))
        end.setblocking(False)
        yield end, name


@pytest.fixture
def opened() -> Iterator[Callable[..., Notifier]]:
    """Makes notifiers, and closes them."""
    with contextlib.ExitStack() as stack:
        yield lambda *given: stack.enter_context(contextlib.closing(Notifier(*given)))


Open = Callable[..., Notifier]


def heard(end: socket.socket) -> list[str]:
    messages = []
    while True:
        try:
            messages.append(end.recv(4096).decode())
        except BlockingIOError:
            return messages


def test_ready_status_and_signs_of_life(manager: tuple[socket.socket, str], opened: Open) -> None:
    end, name = manager
    environment = {"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "3000000", "WATCHDOG_PID": ""}
    now = [0.0]
    notifier = opened(environment, lambda: now[0])
    assert environment == {}, "a child must not speak in our name"
    assert notifier.present and notifier.every == 1.0
    notifier.alive("loading")
    assert heard(end) == ["STATUS=loading"], "no watchdog before it is ready"
    notifier.ready("listening")
    assert heard(end) == ["READY=1\nSTATUS=listening"]
    for quarter in range(40):
        now[0] = quarter / 4
        notifier.alive("listening" if quarter < 20 else "playing")
    said = heard(end)
    assert said.count("WATCHDOG=1") == 10, "once a third of the period"
    assert [line for line in said if line != "WATCHDOG=1"] == ["STATUS=playing"]
    notifier.stopping()
    assert heard(end) == ["STOPPING=1\nSTATUS=stopping"]


def test_patience_lengthens_the_watchdog_and_gives_it_back(
    manager: tuple[socket.socket, str], opened: Open
) -> None:
    end, name = manager
    notifier = opened({"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "3000000"})
    notifier.patience(30.0)
    assert heard(end) == ["EXTEND_TIMEOUT_USEC=30000000"], "a sign of life starts the watchdog"
    notifier.ready("listening")
    heard(end)
    notifier.patience(30.0)
    notifier.patience(0.0)
    long, own = heard(end)
    assert set(long.split("\n")) == {
        "EXTEND_TIMEOUT_USEC=30000000", "WATCHDOG_USEC=30000000", "WATCHDOG=1",
    }  # fmt: skip
    assert set(own.split("\n")) == {"WATCHDOG_USEC=3000000", "WATCHDOG=1"}


def test_another_processs_watchdog_is_left_to_it(
    manager: tuple[socket.socket, str], opened: Open
) -> None:
    end, name = manager
    notifier = opened({"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "1"})
    notifier.ready("")
    notifier.alive("")
    notifier.patience(30.0)
    assert heard(end) == ["READY=1\nSTATUS=", "EXTEND_TIMEOUT_USEC=30000000"]


@pytest.mark.parametrize("period", ["", "0", "-1", "soon"])
def test_without_a_watchdog_there_are_no_signs_of_life(
    manager: tuple[socket.socket, str], period: str, opened: Open
) -> None:
    end, name = manager
    notifier = opened({"NOTIFY_SOCKET": name, "WATCHDOG_USEC": period})
    notifier.ready("")
    notifier.alive("")
    assert heard(end) == ["READY=1\nSTATUS="]


def test_without_a_manager_nothing_happens(opened: Open) -> None:
    notifier = opened({})
    assert not notifier.present
    notifier.ready("listening")
    notifier.alive("playing")
    notifier.stopping()


def test_a_manager_that_is_gone_or_does_not_read_holds_nobody_up(
    tmp_path: Path, opened: Open
) -> None:
    notifier = opened({"NOTIFY_SOCKET": str(tmp_path / "nobody"), "WATCHDOG_USEC": "3000000"})
    assert not notifier.send("READY=1")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as end:
        end.bind(str(tmp_path / "nobody"))
        taken = 0
        while notifier.send("WATCHDOG=1"):
            taken += 1
        assert taken > 0
