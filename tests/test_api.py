"""The public names: the instrument embedded in a program, without ports, threads and clocks."""

from collections.abc import Sequence
from pathlib import Path

import pytest
import segued
from segued import NoteOn, Player, load_model, load_settings, read_messages, write_messages

from .support.fakes import Synth

Timed = tuple[float, bytes]
PHRASE = Path(segued.__file__).parent / "phrases" / "beethoven-ode.mid"


def play(phrase: Sequence[Timed], clock: Sequence[float]) -> list[Timed]:
    """All that a player sends to a phrase, asked at the times of a clock (docs/embedding.md)."""
    settings = load_settings(None, ["sampling.seed=1", "turns.reply_length=4"])
    sent: list[Timed] = []
    now = 0.0
    player = Player(load_model(settings), settings, lambda owner, data: sent.append((now, data)), 1)
    waiting = list(phrase)
    for now in clock:
        while waiting and waiting[0][0] <= now:
            player.receive(now, waiting.pop(0)[1])
        player.tick(now)
        while player.think(now):
            pass
    player.silence(now)
    return sent


def test_a_file_goes_in_and_a_file_comes_out(tmp_path: Path) -> None:
    phrase = read_messages(PHRASE)
    end = phrase[-1][0] + 8
    sent = play(phrase, [step / 500 for step in range(int(end * 500))])
    write_messages(tmp_path / "out.mid", [("both", sent)])
    again = read_messages(tmp_path / "out.mid")
    assert [data for _, data in again] == [data for _, data in sent]
    synth, struck = Synth(), [m for _, m in phrase if m[0] & 0xF0 == 0x90 and m[2]]
    for _, data in sent:
        synth.take(data)
    own = sum(data[0] & 0xF0 == 0x90 and data[2] > 0 for _, data in sent) - len(struck)
    assert own > 4 and not synth.sounding


def test_a_clock_may_jump() -> None:
    """Whatever time it is asked next, nothing is left sounding and what is due is sent."""
    phrase = read_messages(PHRASE)
    end = phrase[-1][0]
    clock = [*(step / 50 for step in range(int(end * 50))), end + 0.1, end + 0.9, end + 3, end + 90]
    synth = Synth()
    for _, data in play(phrase, clock):
        synth.take(data)
    assert not synth.sounding


def test_what_is_no_public_name_is_told() -> None:
    assert NoteOn(0.0, 60, 64, 0).pitch == 60
    assert {"Player", "load_settings", "load_model", "NoteOn"} <= {*segued.__all__}
    for name in segued.__all__:
        assert getattr(segued, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'Plyer'"):
        segued.Plyer  # noqa: B018
