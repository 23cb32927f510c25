"""Who may come in, how fast; and what the page is told of health."""

import pytest
from segued.page.commands import HeldKeys
from segued.page.guard import Guard, Rate, cookie_of, name_of
from segued.page.health import EDGES_MS, histogram, on_time

LOCAL = Guard("127.0.0.1", "studio", "")
OPEN = Guard("0.0.0.0", "Studio", "secret")


@pytest.mark.parametrize("host", ["127.0.0.1:8765", "localhost:8765", "LOCALHOST", "[::1]:8765"])
def test_loopback_is_known_by_its_names(host: str) -> None:
    assert LOCAL.knows_host(host) and OPEN.knows_host(host)


@pytest.mark.parametrize("host", ["", "evil.example", "127.0.0.1.evil.example:8765", "evil:8765"])
def test_a_name_that_points_here_is_not_ours(host: str) -> None:
    assert not LOCAL.knows_host(host) and not OPEN.knows_host(host)


def test_from_elsewhere_it_is_known_by_name_and_address() -> None:
    for host in ("studio:8765", "studio.local:8765", "192.168.1.7:8765", "[fe80::1]:8765"):
        assert OPEN.knows_host(host) and not LOCAL.knows_host(host)


def test_only_our_own_page_may_ask() -> None:
    assert LOCAL.knows_origin(None, "localhost:8765")
    assert LOCAL.knows_origin("http://localhost:8765", "localhost:8765")
    for origin in ("http://localhost:9999", "http://evil.example", "null", ""):
        assert not LOCAL.knows_origin(origin, "localhost:8765")


def test_the_token() -> None:
    assert LOCAL.knows_token(None) and OPEN.knows_token("secret")
    for wrong in (None, "", "secre", "secret ", "SECRET", "sécret"):
        assert not OPEN.knows_token(wrong)
    assert cookie_of("a=b; segue=secret; c=d") == "secret"
    assert cookie_of("") is None and cookie_of("seguex=1") is None


def test_the_name_of_a_host() -> None:
    names = {"a:1": "a", "A": "a", "[::1]:1": "::1", "[::1]": "::1", "": ""}
    assert {host: name_of(host) for host in names} == names


def test_the_rate() -> None:
    rate = Rate(10.0)
    assert [rate.allows(5.0) for _ in range(12)] == [True] * 10 + [False] * 2
    assert rate.allows(5.15) and not rate.allows(5.15)
    assert not rate.allows(4.0), "a clock that goes back gives nothing"
    assert sum(rate.allows(99.0) for _ in range(50)) == 10


def test_the_keys_of_a_page_that_has_gone_come_up() -> None:
    held = HeldKeys()
    for message in ([0x91, 64, 80], [0x90, 60, 80], [0x90, 72, 80], [0x80, 72, 64]):
        held.play(message)
    assert held.releases() == [[0x80, 60, 64], [0x81, 64, 64]]
    assert held.ends(["receive", [0x90, 60, 0]]) and not held.ends(["receive", [0x80, 72, 64]])
    assert not held.ends(["receive", [0x90, 60, 1]]) and not held.ends(["do", "panic"])


def test_lateness_as_bars_and_shares() -> None:
    late = sorted([0.00004, 0.0009, 0.001, 0.0029, 0.0031, 0.02])
    bars = histogram(late)
    assert len(bars) == len(EDGES_MS) + 1 and sum(bars) == len(late)
    assert bars[0] == 1 and bars[EDGES_MS.index(1.0)] == 2 and bars[-1] == 1
    assert on_time(late) == [3 / 6, 4 / 6, 5 / 6]
    assert on_time([]) == [None] * 3 and sum(histogram([])) == 0
