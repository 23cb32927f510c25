"""A daemon on a JACK server that goes away and comes back: a few runs of `faults jack`."""

import contextlib
import random
from functools import partial
from pathlib import Path

import pytest

from tests.support.jack import jack_server
from tests.tools import jack_restarts
from tests.tools.jack_restarts import VARIANTS, Rehearsal

pytestmark = pytest.mark.live


PATIENCE = 10.0  # seconds; the tool promises two, on a machine with time


def test_it_is_back_whenever_its_server_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One daemon lives through all of it, and answers a phrase each time."""
    monkeypatch.setattr(jack_restarts, "HUNG", 1.0)
    monkeypatch.setattr(jack_restarts, "PROMISED", PATIENCE)
    rng = random.Random(0)
    with (
        jack_server(synchronous=False) as server,
        contextlib.closing(Rehearsal(server, tmp_path)) as rehearsal,
    ):
        for variant in ("quick", "flap", "other", "born-hung"):
            back = rehearsal.run(partial(VARIANTS[variant], server, rng))
            assert not back.failure, back.failure
            assert back.kept, (variant, back)
