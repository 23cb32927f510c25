"""The continuation test, on music made here: what it makes of copies, noise, silence, few notes."""

import json
from pathlib import Path

import numpy as np
import pytest
from segue_export.__main__ import main
from segue_export.corpus.pieces import Pieces
from segue_export.corpus.store import read_folder
from segue_export.judge import continuation as room
from segue_export.judge.continuation import (
    PROMPT,
    REPLY,
    Passage,
    Turn,
    continuation_test,
    heard_events,
    passages,
    play_on,
    playing_of,
)
from segue_export.judge.features import (
    CHORD,
    DRAWS,
    FEATURES,
    Feature,
    chords,
    density,
    overlaps,
    values_of,
)
from segued.errors import DataError
from segued.generation.improviser import Improviser
from segued.midi.files import write_messages
from segued.midi.notes import Note
from segued.settings.config import Config
from segued.tokens.events import Event
from segued.tokens.tokenizer import encode
from segued.tokens.vocabulary import PERFORMANCE, VELOCITY

from tests.support.fakes import FoldingModel, ScriptedModel

from ..support.tiny import write_model

NAMES = [feature.name for feature in FEATURES]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three pieces of a minute and more, each in its own register and rhythm."""
    for number, (low, gap) in enumerate(((40, 0.2), (60, 0.35), (75, 0.5))):
        messages = []
        for i in range(int(70 / gap)):
            pitch = low + (i * 7) % 12
            messages.append((i * gap, bytes((0x90, pitch, 60 + i % 20))))
            messages.append((i * gap + 0.8 * gap, bytes((0x80, pitch, 64))))
        write_messages(tmp_path / f"{number}.mid", [("piece", messages)])
    return tmp_path


@pytest.fixture
def music(folder: Path) -> Pieces:
    return read_folder(folder)


def notes(low: int, gap: float, seconds: float = 10.0) -> list[Note]:
    return [Note(i * gap, i * gap + 0.1, low + i % 5, 70) for i in range(int(seconds / gap))]


def drawn(rng: np.random.Generator, count: int) -> list[Note]:
    """Notes of one kind of music, more or fewer of them in ten seconds."""
    starts = np.sort(rng.uniform(0, 10, count))
    pitches = rng.choice([60, 62, 64, 67, 69, 72], count)
    return [
        Note(float(t), float(t) + rng.choice([0.2, 0.4]), int(p), int(rng.integers(50, 90)))
        for t, p in zip(starts, pitches, strict=True)
    ]


def test_a_passage_is_like_itself_and_unlike_another() -> None:
    rng = np.random.default_rng(1)
    passage = values_of(notes(60, 0.2), 0.0, 10.0)
    others = {"itself": [passage], "other": [values_of(notes(20, 1.0), 0.0, 10.0)]}
    found = overlaps(passage, {"itself": [passage]}, rng)["itself"]
    assert found == pytest.approx(dict.fromkeys(NAMES, 1.0))
    found = overlaps(passage, others, rng)["other"]
    assert found["pitch"] < 1e-6 and found["inter-onset"] < 1e-6
    assert found["velocity"] == pytest.approx(1.0)
    assert all(0 <= value <= 1 + 1e-9 for value in found.values())


@pytest.mark.parametrize("feature", FEATURES, ids=lambda f: f.name)
def test_densities_add_up_to_one(feature: Feature) -> None:
    values = np.array([[feature.low, feature.high, 1e9, -1e9], [feature.low] * 4])
    found = density(feature, values)
    assert found.shape == (2, len(feature.grid))
    assert found.sum(axis=1) == pytest.approx(1.0)
    assert density(feature, np.zeros((1, 0))).sum() == 0


def test_chords_are_one_event() -> None:
    onsets = np.array([0.0, 0.01, 0.02, 1.0, 1.0 + CHORD, 2.0])
    times, tops = chords(onsets, np.array([60.0, 67.0, 64.0, 50.0, 52.0, 70.0]))
    assert times.tolist() == [0.0, 1.0, 1.0 + CHORD, 2.0]
    assert tops.tolist() == [67, 50, 52, 70]
    rolled = [Note(t, 3.0, p, 60) for t, p in ((0.0, 60), (0.02, 72), (0.5, 50), (0.51, 74))]
    assert values_of(rolled, 0.0, 10.0)["interval"].tolist() == [2]


def test_lengths_are_heard_no_longer_in_a_real_passage_than_in_a_reply() -> None:
    found = values_of([Note(9.0, 60.0, 60, 60)], 0.0, 10.0)
    assert found["duration"] == pytest.approx(np.log2(10.0 + 2.0 - 9.0))


def test_few_notes_of_the_same_kind_lose_in_density_alone() -> None:
    """The bias of small samples is the same for a sparse reply and a dense passage."""
    rng = np.random.default_rng(7)
    sums = {"sparse": dict.fromkeys(NAMES, 0.0), "dense": dict.fromkeys(NAMES, 0.0)}
    for _ in range(150):
        real = values_of(drawn(rng, 80), 0, 10)
        found = overlaps(
            real,
            {
                "sparse": [values_of(drawn(rng, 25), 0, 10)],
                "dense": [values_of(drawn(rng, 80), 0, 10)],
            },
            rng,
        )
        for group, row in found.items():
            for name, value in row.items():
                sums[group][name] += value / 150
    for name in ("pitch class", "pitch", "duration", "velocity"):
        assert sums["sparse"][name] == pytest.approx(sums["dense"][name], abs=0.02)
    assert sums["sparse"]["density"] < sums["dense"]["density"] - 0.2


def test_thinning_draws_without_putting_back() -> None:
    rng = np.random.default_rng(1)
    from segue_export.judge.features import _thinned

    parts = _thinned(np.arange(50.0), 20, rng)
    assert parts.shape == (DRAWS, 20)
    assert all(len(set(part)) == 20 for part in parts.tolist())
    assert len({tuple(sorted(part)) for part in parts.tolist()}) == DRAWS
    assert _thinned(np.arange(5.0), 20, rng).shape == (1, 5)


def test_passages_have_music_on_both_sides(music: Pieces) -> None:
    found = passages(music, 12, seed=1)
    assert len(found) == 12
    assert np.bincount([place.piece for place in found]).tolist() == [4, 4, 4]
    for place in found:
        assert any(n.start < place.cut - 15 for n in place.notes)
        assert any(n.start > place.cut + 15 for n in place.notes)
    assert [p.cut for p in passages(music, 12, seed=1)] == [p.cut for p in found]
    assert [p.cut for p in passages(music, 12, seed=2)] != [p.cut for p in found]


@pytest.mark.slow
def test_real_music_lies_between_floor_and_ceiling(music: Pieces) -> None:
    places = passages(music, 6, seed=1)
    result = continuation_test(FoldingModel(), places, Config(), replies=2)
    assert [*result] == [*NAMES, "new"]
    for name in ("pitch", "inter-onset"):
        row = result[name]
        assert row["ceiling"] > 0.9 > row["floor"]
        assert row["low"] <= row["reply"] <= row["high"]
        assert row["reply"] < row["ceiling"], "noise cannot be like the real thing"
        assert row["share_low"] <= row["share"] <= row["share_high"] < 1
    assert result["new"]["passages"] == 6 and result["new"]["pieces"] == 3


def later(turn: Turn, places: list[Passage]) -> list[Note]:
    """What really came, moved to where a reply begins."""
    place = next(p for p in places if p.cut == turn.cut)
    return [
        Note(n.start + 0.02, n.end + 0.02, n.pitch, n.velocity)
        for n in place.notes
        if place.cut <= n.start < place.cut + REPLY
    ]


def test_who_plays_what_really_came_reaches_the_ceiling(
    music: Pieces, monkeypatch: pytest.MonkeyPatch
) -> None:
    places = passages(music, 9, seed=1)
    monkeypatch.setattr(room, "play_on", lambda model, turn: later(turn, places))
    result = continuation_test(FoldingModel(), places, Config())
    for name in NAMES:
        row = result[name]
        assert row["reply"] >= max(0.75, row["ceiling"] - 0.02)
    assert all(result[name]["share"] > 0.9 for name in ("pitch", "inter-onset"))
    assert result["new"]["reply"] == result["new"]["real"]


def test_silence_has_nothing_in_common_with_music(
    music: Pieces, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "play_on", lambda model, turn: [])
    result = continuation_test(FoldingModel(), passages(music, 4, seed=1), Config())
    for name in NAMES:
        assert result[name]["reply"] == 0
        assert result[name]["ceiling"] > 0.5


def test_a_reply_follows_from_what_was_heard_and_the_seed(music: Pieces) -> None:
    place = passages(music, 1, seed=1)[0]
    heard = heard_events(place.notes, place.cut - PROMPT, place.cut)
    assert heard and all(place.cut - PROMPT <= e.time < place.cut for e in heard)
    model = FoldingModel()
    first, again, other = (
        play_on(model, Turn(heard, place.cut, playing_of(Config(), seed))) for seed in (1, 1, 2)
    )
    assert first == again != other
    assert all(place.cut <= n.start < place.cut + REPLY + 0.03 for n in first)


def test_what_sounds_at_the_cut_is_the_models_to_end() -> None:
    held = heard_events([Note(0.0, 30.0, 60, 60)], 0.0, 20.0)
    script = [PERFORMANCE.id(VELOCITY, 3), 128 + 60]
    improviser = Improviser(ScriptedModel(script), playing_of(Config(), 1))
    events: list[Event] = [*held]
    for event in events:
        improviser.hear(event)
    assert improviser.context.encoder.sounding_of(-1) == [60]


def test_settings_reach_the_model(music: Pieces) -> None:
    from segue_export.judge.commands import settings_of

    place = passages(music, 1, seed=1)[0]
    heard = heard_events(place.notes, place.cut - PROMPT, place.cut)
    low = settings_of(["sampling.highest_pitch=40", "sampling.lowest_pitch=30"])
    reply = play_on(FoldingModel(), Turn(heard, place.cut, playing_of(low, 1)))
    assert reply and all(30 <= note.pitch <= 40 for note in reply)


def test_short_pieces_are_refused(tmp_path: Path) -> None:
    write_messages(tmp_path / "a.mid", [("x", [(0.0, b"\x90\x3c\x40"), (1.0, b"\x80\x3c\x40")])])
    with pytest.raises(DataError, match="longer than 40 seconds"):
        passages(read_folder(tmp_path), 5, seed=1)
    sparse = [Note(5.0 * i, 5.0 * i + 1, 60, 60) for i in range(20)]
    ids = np.array(encode(heard_events(sparse, 0.0, 1000.0)), np.uint16)
    from segue_export.corpus.pieces import join

    with pytest.raises(DataError, match="12 notes"):
        passages(join(["x"], [ids]), 5, seed=1)


def test_one_piece_has_no_floor(music: Pieces) -> None:
    places = [place for place in passages(music, 6, seed=1) if place.piece == 0]
    assert len(places) == 2
    with pytest.raises(DataError, match="two pieces"):
        continuation_test(FoldingModel(), places, Config())


@pytest.mark.slow
def test_a_roll_is_drawn(folder: Path, tmp_path: Path) -> None:
    picture = tmp_path / "roll.png"
    assert main(["roll", str(folder / "0.mid"), str(picture)]) == 0
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_bad_files_are_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["roll", str(tmp_path / "none.mid"), str(tmp_path / "x.png")]) == 65
    assert "no such MIDI file" in capsys.readouterr().err
    assert main(["continuation", str(tmp_path / "none.onnx"), str(tmp_path)]) == 65
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.slow
def test_the_command_with_several_workers(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = str(write_model(tmp_path / "m.onnx"))
    command = ["continuation", model, str(folder), "--passages", "3", "--json"]
    assert main([*command, "--picture", str(tmp_path / "c.png")]) == 0
    alone = json.loads(capsys.readouterr().out)
    assert alone["pitch"]["passages"] == 3
    assert (tmp_path / "c.png").read_bytes().startswith(b"\x89PNG")
    assert main([*command, "--workers", "2"]) == 0
    assert json.loads(capsys.readouterr().out) == alone
    assert main([*command[:-1], "--temperature", "0.5", "--set", "sampling.top_p=0.9"]) == 0
    shown = capsys.readouterr().out
    assert "inter-onset" in shown and "3 passages of 3 pieces" in shown
    assert main([*command, "--set", "sampling.temperatur=1"]) == 78
    assert "did you mean" in capsys.readouterr().err
