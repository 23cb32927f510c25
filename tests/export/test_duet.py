"""The duet test: its prompts, what its measures make of replies that are known, and the command."""

import json
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from segue_export.__main__ import main
from segue_export.judge import duet
from segue_export.judge.duet import duet_test, events_of, marks, mean, summary
from segue_export.judge.duet_measures import FAMILIES, MEASURES, Part, agreement, measured
from segue_export.judge.duet_prompts import PERFORMERS, Performer, Prompt, cycled, played, prompts
from segued.errors import UsageError
from segued.midi.notes import Note
from segued.settings.config import Config
from segued.tokens.events import NoteOff, NoteOn

from ..support.fakes import FoldingModel
from ..support.tiny import write_model

STEADY = Performer("steady", 120, 8, ((60, "1 2:1/2 3 4:1 5"),), jitter=0.0)
CHORDS = Performer("chords", 100, 8, ((60, "1+3+5 4,+6,+1"),), velocity=90, fixed=True)


def reply_of(prompt: Prompt, notes: Sequence[Note]) -> dict[str, float]:
    return measured(prompt, Part(prompt.heard), notes)


def changed(
    notes: Sequence[Note], tempo: float = 1.0, later: float = 0.0, pitch: int = 0, louder: int = 0
) -> list[Note]:
    start = notes[0].start
    return [
        Note(
            start + later + (n.start - start) * tempo, start + later + (n.end - start) * tempo,
            n.pitch + pitch, n.velocity + louder,
        )
        for n in notes
    ]  # fmt: skip


def listened(replies: Sequence[Sequence[Note]]) -> dict[str, Any]:
    """The summary of one reply to each prompt."""
    every = prompts()
    rows = [[*reply_of(p, r).values()] for p, r in zip(every, replies, strict=True)]
    return summary(np.array(rows), *marks(every), seed=1)


def test_a_score_is_read_and_begins_again() -> None:
    events = cycled("1:1/2 b3+5' | . 2:1", 5)
    assert [(start, length) for start, length, _ in events] == [
        (0, Fraction(1, 2)), (Fraction(1, 2), Fraction(1, 2)), (Fraction(3, 2), 1),
        (Fraction(5, 2), Fraction(1, 2)), (3, Fraction(1, 2)), (4, 1),
    ]  # fmt: skip
    assert [degrees for _, _, degrees in events[:3]] == [["1"], ["b3", "5'"], ["2"]]


@pytest.mark.parametrize("performer", PERFORMERS, ids=lambda performer: performer.name)
def test_a_prompt_is_playable_and_has_a_continuation(performer: Performer) -> None:
    prompt = played(performer, 1)
    assert prompt == played(performer, 1) and prompt != played(performer, 2)
    for _, score in performer.hands:
        sounding = score.replace(" .", " 1")  # rests too
        start, length, _ = cycled(sounding, 2 * performer.beats)[-1]
        assert start + length == 2 * performer.beats  # whole bars, however often it is played
    for notes in (prompt.heard, prompt.on):
        assert len(notes) >= 10 and 5 < notes[-1].end - notes[0].start < 25
        assert all(21 <= n.pitch <= 108 and 1 <= n.velocity <= 127 for n in notes)
        assert notes == sorted(notes, key=lambda n: n.start)
    phase = (prompt.on[0].start - prompt.origin) / prompt.beat * prompt.parts
    assert abs(phase - round(phase)) < 0.25
    assert len({n.velocity for n in prompt.heard}) == 1 or not performer.fixed


def test_prompts_are_of_many_kinds() -> None:
    every = prompts()
    assert len(every) == 24 == len({p.name for p in every})
    lines = [p for p in every if Part(p.heard).polyphony < 1.15]
    assert 8 < len(lines) < 18
    assert len({p.parts for p in every}) == 4 and len({p.tonic for p in every}) > 5
    assert all(agreement(Part(p.heard).times, np.array([p.beat / p.parts])) > 0.4 for p in every)


@pytest.mark.slow
def test_the_performers_own_continuation_is_1_and_another_s_is_0() -> None:
    every = prompts()
    own = listened([p.on for p in every])
    assert own["listened"] == pytest.approx(1.0) == own["listened_low"]
    assert set(own["families"]) == set(FAMILIES) - {"form"}
    floor, yours = marks(every)
    other = summary(floor, floor, yours, seed=1)
    assert other["listened"] == pytest.approx(0.0)
    assert np.isfinite(yours).mean() > 0.9


@pytest.mark.slow
def test_a_parrot_does_not_get_full_marks() -> None:
    every = prompts()
    copies = [changed(p.heard, later=p.beat * round(p.on[0].start / p.beat)) for p in every]
    result = listened(copies)
    assert result["families"]["figures"] < 0.6 < result["families"]["touch"]


@pytest.mark.slow
def test_noise_is_no_reply() -> None:
    rng = np.random.default_rng(3)
    noise = []
    for prompt in prompts():
        starts = np.sort(rng.uniform(0, 10, 60)) + prompt.on[0].start
        noise.append([Note(t, t + 0.3, int(p), int(v)) for t, p, v in zip(
            starts, rng.integers(21, 108, 60), rng.integers(1, 127, 60), strict=True)])  # fmt: skip
    assert listened(noise)["listened"] < 0.1


def test_time_is_measured() -> None:
    prompt = played(STEADY, 1)
    same, faster = reply_of(prompt, prompt.on), reply_of(prompt, changed(prompt.on, tempo=0.8))
    assert same["pulse"] > 0.99 and same["in tempo"] == 1 == same["begins on the beat"]
    assert same["on your grid"] > 0.99 and same["note values"] > 0.9
    assert faster["pulse"] < 0.3 and faster["in tempo"] == 0 and faster["note values"] < 0.7
    late = reply_of(prompt, changed(prompt.on, later=0.125))
    assert late["pulse"] > 0.99 and late["in tempo"] == 1 and late["begins on the beat"] == 0
    assert late["on your grid"] < -0.9  # between its lines


def test_texture_and_touch_are_measured() -> None:
    line, chords = played(STEADY, 1), played(CHORDS, 1)
    own = reply_of(line, line.on)
    assert own["line to chords"] == 0 and own["polyphony"] < 0.1 and own["in your key"] == 1
    answered = reply_of(line, chords.on)
    assert answered["line to chords"] == 1 and answered["polyphony"] == pytest.approx(
        np.log2(3), 0.1
    )
    assert np.isnan(reply_of(chords, line.on)["line to chords"])
    higher = reply_of(line, changed(line.on, pitch=6, louder=9))
    assert higher["register"] == pytest.approx(own["register"] + 6, abs=2.1)
    assert higher["velocity"] == pytest.approx(9, abs=3) and higher["in your key"] < 1
    slower = reply_of(line, changed(line.on, tempo=2.0))
    assert slower["density"] == pytest.approx(1, abs=0.15)
    assert reply_of(chords, changed(chords.on, louder=5))["velocity"] == pytest.approx(5)
    assert reply_of(chords, chords.on)["spread of velocity"] == 0


def test_form_is_measured() -> None:
    prompt = played(STEADY, 1)
    flow = [Note(10 + i / 5, 10.18 + i / 5, 62, 70) for i in range(30)]
    values = reply_of(prompt, flow)
    assert values["cut off"] == 1 and values["last note long"] == 0
    assert values["ends on the tonic chord"] == 0  # a D in C major
    close = [*flow, *(Note(16.2, 18.0, pitch, 70) for pitch in (60, 64, 67))]
    values = reply_of(prompt, close)
    assert values["cut off"] == 0 and values["last note long"] == 1
    assert values["ends on the tonic chord"] == 1


def test_figures_are_measured() -> None:
    prompt = played(STEADY, 1)
    values = reply_of(prompt, changed(prompt.heard, later=8.0, pitch=5))
    assert values["melodic figures"] == values["rhythmic figures"] == values["figures in both"] == 1
    same_pitches = [Note(20 + i * 0.7, 20.5 + i * 0.7, n.pitch, 60)
                    for i, n in enumerate(prompt.heard)]  # fmt: skip
    values = reply_of(prompt, same_pitches)
    assert values["melodic figures"] == 1 and values["figures in both"] == 0
    assert np.isnan(reply_of(prompt, prompt.on[:2])["melodic figures"])


def test_no_note_has_no_measure() -> None:
    values = reply_of(played(STEADY, 1), [])
    assert set(values) == set(MEASURES) and all(np.isnan(v) for v in values.values())


def test_a_mean_without_values_is_none() -> None:
    assert np.isnan(mean(np.array([[np.nan], [np.nan]]), axis=0)).all()
    assert mean(np.array([[1.0], [np.nan]]), axis=0).tolist() == [1.0]


def test_a_performance_is_in_order() -> None:
    events = events_of([Note(0.0, 1.0, 60, 70), Note(1.0, 2.0, 60, 70)])
    assert [type(event) for event in events] == [NoteOn, NoteOff, NoteOn, NoteOff]


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three prompts instead of all."""
    three = [played(performer, 1) for performer in (STEADY, CHORDS, PERFORMERS[0])]
    monkeypatch.setattr(duet, "prompts", lambda: three)


@pytest.mark.slow
@pytest.mark.usefixtures("few")
def test_replies_are_rendered_and_kept(tmp_path: Path) -> None:
    result = duet_test(FoldingModel(), Config(), replies=2, keep=tmp_path)
    assert (result["prompts"], result["replies"]) == (3, 6)
    assert result == duet_test(FoldingModel(), Config(), replies=2)
    assert result != duet_test(FoldingModel(), Config(), replies=2, seed=2)
    assert len(list(tmp_path.glob("*.mid"))) == 6 and (tmp_path / "steady-2.mid").exists()
    assert set(result["measures"]) == set(MEASURES)
    low, value, high = (result[f"listened{end}"] for end in ("_low", "", "_high"))
    assert low <= value <= high
    with pytest.raises(UsageError, match="path"):
        duet_test(FoldingModel(), Config(), workers=2)


@pytest.mark.usefixtures("few")
def test_who_never_answers_plays_to_somebody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(duet, "answer", lambda model, turn: [])
    result = duet_test(FoldingModel(), Config())
    assert result["silent"] == 1.0 and result["listened"] == pytest.approx(0.0)


@pytest.mark.slow
@pytest.mark.usefixtures("few")
def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = str(write_model(tmp_path / "m.onnx"))
    command = ["duet", model, "--set", "turns.silence=0.3"]
    assert main([*command, "--json", "--keep", str(tmp_path / "kept")]) == 0
    alone = json.loads(capsys.readouterr().out)
    assert len(list((tmp_path / "kept").glob("*.mid"))) == 3
    assert main([*command, "--json", "--workers", "2"]) == 0
    assert json.loads(capsys.readouterr().out) == alone
    assert main(command) == 0
    shown = capsys.readouterr().out
    assert "keeps your pulse" in shown and "3 prompts, 3 replies" in shown
    assert main(["duet", str(tmp_path / "none.onnx")]) == 65
    assert main([*command, "--set", "turns.silenc=1"]) == 78
