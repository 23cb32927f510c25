"""The long run: what holds is told to hold, what collapses is caught, each in its own way."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from segue_export.__main__ import main
from segue_export.judge import duet, longrun, minutes, session
from segue_export.judge.duet_prompts import prompts
from segue_export.judge.longrun import LongRun, healthy, listen, play, within
from segue_export.judge.minutes import CURVES, Minute, Trace, by_minute, weigh
from segue_export.judge.session import Session, programme, prompt
from segued.settings.config import Config
from segued.settings.yaml_file import load_settings
from segued.tokens.vocabulary import NOTE_OFF, PERFORMANCE, TIME_SHIFT, VELOCITY

from tests.support.fakes import Floats, FoldingModel, ScriptedModel

from ..support.tiny import pieces_of, work, write_midi, write_model

SIZE = len(PERFORMANCE)


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Minutes of six seconds, few first ones: the rules are the same."""
    for room, name, value in (
        (longrun, "MINUTE", 6.0),
        (minutes, "MINUTE", 6.0),
        (longrun, "STARTS", 6),
        (longrun, "PROMPT", 5.0),
        (longrun, "SILENCE", 4.0),
    ):
        monkeypatch.setattr(room, name, value)


@pytest.fixture
def music() -> list[np.ndarray]:
    return list(pieces_of([work(i, 40) for i in range(3)]))


def ignore(seconds: float) -> None:
    """Nobody watches."""


class Script(ScriptedModel):
    """Plays notes again and again, from whatever it heard, and never stops."""

    def __init__(self, pitches: Sequence[int], steps: int = 20) -> None:
        script = []
        for number, pitch in enumerate(pitches):
            script += [356 + number % 2, pitch, 255 + steps, 128 + pitch]
        super().__init__(script)
        self._loop = script

    def step(self, ids: Sequence[int], state: Floats) -> tuple[Floats, Floats]:
        place = int(state[0])
        for id in ids:
            place = (place + 1) % len(self._loop) if id == self._loop[place] else place
        logits = np.zeros(SIZE, np.float32)
        logits[self._loop[place]] = 30.0
        return logits, np.array([place], np.float32)


class Dying(FoldingModel):
    """Plays like noise at first, and only rests later on."""

    def __init__(self, tokens: int) -> None:
        super().__init__()
        self._tokens = tokens

    def initial_state(self) -> Floats:
        return np.zeros(6, np.float32)

    def step(self, ids: Sequence[int], state: Floats) -> tuple[Floats, Floats]:
        logits, folded = super().step(ids, state[:5])
        heard = state[5] + len(ids)
        if heard > self._tokens:
            logits = logits - 100.0
            offs = PERFORMANCE.ids(NOTE_OFF)
            logits[offs.start : offs.stop] += 120.0
            logits[PERFORMANCE.id(TIME_SHIFT, 100)] += 115.0
        return logits, np.append(folded, heard).astype(np.float32)


def failed(run: LongRun) -> set[str]:
    return {check.name for check in run.checks if not check.held}


@pytest.mark.slow
def test_noise_holds(music: list[np.ndarray], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(longrun, "STARTS", 20)
    # a rare long rest is much in six seconds, and noise is to keep nobody's time and motifs
    alone = ["steering.timekeeping=0", "steering.motifs=0", "sync.launch_quantize=now"]
    tame = load_settings(None, ["sampling.top_p=0.98", *alone])
    run = play(FoldingModel(), tame, music, 10, 1, ignore)
    assert len(run.minutes) == 10
    assert not failed(run), run.checks
    assert all(m.entropy > 0 and m.surprise > 0 and m.density > 0 for m in run.minutes)


@pytest.mark.slow
def test_one_note_is_caught(music: list[np.ndarray]) -> None:
    assert {"not stuck", "no loop"} <= failed(play(Script([60, 60]), Config(), music, 4, 1, ignore))


@pytest.mark.slow
def test_a_loop_is_caught(music: list[np.ndarray]) -> None:
    run = play(Script(range(40, 70)), Config(), music, 6, 1, ignore)
    assert "no loop" in failed(run) and "not stuck" not in failed(run)


@pytest.mark.slow
def test_silence_is_caught(music: list[np.ndarray]) -> None:
    run = play(Dying(300), Config(), music, 10, 1, ignore)
    assert {"no silence", "density", "not stuck"} <= failed(run)
    assert run.minutes[0].density > 0 == run.minutes[-1].density


@pytest.mark.slow
def test_listening_holds_and_is_compared_with_a_fresh_start(music: list[np.ndarray]) -> None:
    starts = play(FoldingModel(), Config(), music, 1, 1, ignore).ranges
    wide = dict.fromkeys(starts, (0.0, 1000000000.0))
    run = listen(FoldingModel(), Config(), music, 8, 1, wide, ignore)
    assert not failed(run) - {"entropy", "surprise", "not weary"}
    names = [check.name for check in run.checks]
    assert names[:3] == ["entropy", "surprise", "not weary"]
    assert "then plays: no silence" in names
    density = np.mean([m.density for m in run.minutes])
    assert density == pytest.approx(sum((m < 128).sum() for m in music) / 3 / 14, rel=0.4)


class Tiring(FoldingModel):
    """Expects what it heard at first less and less."""

    def initial_state(self) -> Floats:
        return np.zeros(6, np.float32)

    def step(self, ids: Sequence[int], state: Floats) -> tuple[Floats, Floats]:
        _, folded = super().step(ids, state[:5])
        heard = state[5] + len(ids)
        logits = np.zeros(SIZE, np.float32)
        logits[PERFORMANCE.id(TIME_SHIFT, 100)] = heard / 100
        return logits, np.append(folded, heard).astype(np.float32)


def test_weariness_is_caught(music: list[np.ndarray]) -> None:
    wide = dict.fromkeys(CURVES, (0.0, 1000000000.0))
    run = listen(Tiring(), Config(), music, 12, 1, wide, ignore)
    assert {"surprise", "not weary"} <= failed(run)


def trace(ids: Sequence[int], times: Sequence[float]) -> Trace:
    every = np.arange(len(ids), dtype=float)
    return Trace(np.array(ids), np.array(times), every, 2 * every)


def test_the_figures_of_a_minute() -> None:
    found = by_minute(trace([60, 62, 370, 60, 188, 64], [0.0, 1.0, 1.0, 5.0, 6.5, 11.0]), 2)
    first, second = found
    assert (first.entropy, first.surprise) == (1.5, 3.0)
    assert (second.entropy, second.surprise) == (4.5, 9.0)
    assert first.density == 3 / 6 and second.density == 1 / 6
    assert first.pitches == pytest.approx(np.exp(-(2 / 3 * np.log(2 / 3) + np.log(1 / 3) / 3)))
    assert second.pitches == 1
    assert first.silence == second.silence == 6.0  # from 5 to 11: it reaches into both
    nothing = by_minute(trace([], []), 1)[0]
    assert np.isnan(nothing.entropy) and nothing.density == 0 and nothing.silence == 6.0


def test_runs_are_new_once() -> None:
    pitches = [*range(40, 60), *range(40, 60)]
    found = by_minute(trace(pitches, np.linspace(0, 11.99, 40).tolist()), 2)
    assert found[0].new == 1.0
    assert found[1].new == pytest.approx(7 / 20)  # those across the seam are new


def test_within_needs_most_minutes_and_the_end() -> None:
    def minutes(values: Sequence[float]) -> list[Minute]:
        return [Minute(v, v, v, 20, 0, 1) for v in values]

    ranges = {"entropy": (1.0, 2.0)}
    assert within(minutes([1.5] * 40), ranges, ["entropy"])[0].held
    assert within(minutes([1.5] * 30 + [3.0] * 5 + [1.5] * 10), ranges, ["entropy"])[0].held
    assert not within(minutes([1.5] * 20 + [3.0] * 10 + [1.5] * 3), ranges, ["entropy"])[0].held
    assert not within(minutes([1.5] * 50 + [3.0] * 10), ranges, ["entropy"])[0].held
    assert not within(minutes([float("nan")] * 3), ranges, ["entropy"])[0].held
    assert all(check.held for check in healthy(minutes([1.0, 2.0])))


def test_weighing_is_the_models_own_distribution() -> None:
    model = FoldingModel()
    ids = [370, 60, 280, 188]
    found = weigh(model, ids, ignore, 2.0)
    state = model.initial_state()
    assert found.surprise[0] == pytest.approx(np.log(SIZE))
    for i, id in enumerate(ids[:-1]):
        logits, state = model.step([id], state)
        chances = np.exp(logits.astype(float))
        chances /= chances.sum()
        assert found.surprise[i + 1] == pytest.approx(-np.log(chances[ids[i + 1]]))
        assert found.entropy[i + 1] == pytest.approx(-(chances * np.log(chances)).sum())
    assert found.times.tolist() == [2.0, 2.0, 2.25, 2.25]


def test_a_prompt_is_a_closed_passage(music: list[np.ndarray]) -> None:
    heard = prompt(music[0], 5.0, np.random.default_rng(1))
    assert heard[0][0] >= 0 and heard[-1][0] <= 5.0
    sounding: set[int] = set()
    for _, message in heard:
        sounding = sounding | {message[1]} if message[0] == 0x90 else sounding - {message[1]}
    assert not sounding


def test_a_programme_fills_its_time(music: list[np.ndarray]) -> None:
    shown = programme(music[:1], 60.0)
    times = [time for time, _ in shown]
    assert times == sorted(times) and 55 < times[-1] < 60
    assert max(np.diff(times)) >= session.GAP


def test_time_passes_and_is_told(music: list[np.ndarray]) -> None:
    passed: list[float] = []
    player = Session(FoldingModel(), Config(), 1)
    player.hear(programme(music, 8.0), 8.0, passed.append)
    player.hear([], 12.0, passed.append)
    assert sum(passed) == pytest.approx(12.0) and min(passed) >= 0
    assert player.now == 12.0 and len(player.heard) > 50


@pytest.mark.slow
def test_the_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(longrun, "STARTS", 2)
    model = str(write_model(tmp_path / "m.onnx"))
    file = write_midi(tmp_path / "music" / "a.mid", work(1, 60))
    command = ["longrun", model, "--minutes", "2", "--json"]
    status = main([*command, "--picture", str(tmp_path / "l.png"), "--listen", str(file)])
    values = json.loads(capsys.readouterr().out)
    assert status == (0 if values["held"] else 1)
    assert {len(values[run]["minutes"]) for run in ("playing", "listening")} == {2}
    assert (tmp_path / "l.png").read_bytes().startswith(b"\x89PNG")
    status = main([*command[:-1], "--set", "turns.silence=2 beats"])
    shown = capsys.readouterr().out
    assert "playing:" in shown and "listening" not in shown and "no silence" in shown
    assert status == (1 if "NOT HELD" in shown else 0)
    assert main([*command, "--listen", str(tmp_path / "none")]) == 65
    assert "none" in capsys.readouterr().err
    assert VELOCITY in PERFORMANCE.ranges[3]


@pytest.mark.slow
def test_the_tables_of_a_model_card(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(longrun, "STARTS", 2)
    few = prompts()[:3]
    monkeypatch.setattr(duet, "prompts", lambda: few)
    for side, seeds in (("train", range(3)), ("valid", range(3, 5))):
        for seed in seeds:
            write_midi(tmp_path / "own" / side / f"{seed}.mid", work(seed, 160))
    for seed in (8, 9):
        write_midi(tmp_path / "other" / f"{seed}.mid", work(seed, 160))
    model = str(write_model(tmp_path / "m.onnx"))
    folders = [str(tmp_path / "own" / "valid"), str(tmp_path / "other")]
    out = tmp_path / "out"
    command = ["quality", model, *folders, "--out", str(out), "--passages", "4", "--minutes", "2"]
    assert main([*command, "--markov-order", "2", "--markov-keys", "1"]) == 0
    assert "quality.md" in capsys.readouterr().out
    tables = (out / "quality.md").read_text()
    for part in ("own/valid", "Markov model, both", "inter-onset", "pulse", "no loop", "listening"):
        assert part in tables
    values = json.loads((out / "quality.json").read_text())
    assert set(values) == {"evaluate", "continuation", "duet", "longrun"}
    trained_on = [Path(p) for p in values["evaluate"][f"{tmp_path.name}/other"]["trained_on"]]
    assert trained_on == [tmp_path / "own" / "train"]
    assert len(list(out.glob("*.png"))) == 3
    assert main(["quality", model, folders[0], folders[0], "--out", str(out)]) == 64
