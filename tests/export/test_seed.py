"""The classic tutorial's recipe: windows of chords, epochs, and a model that the daemon plays."""

import json
import math
import os
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file
from segue_export import report
from segue_export.__main__ import main
from segue_export.config import NetworkConfig
from segue_export.data import IGNORE, Batch
from segue_export.judge.chords import evaluate_chords, symbol_nats
from segue_export.judge.compare import chord_nats, chord_numbers
from segue_export.network import Network
from segue_export.process_group import single_process
from segue_export.seed.task import SeedTask, carried_nats, window_nats
from segue_export.seed.windows import SeedAugmentation, SeedConfig, Windows, gather, transpositions
from segue_export.train import Trainer
from segued.cli import main as segued
from segued.errors import DataError, UsageError
from segued.midi.files import read_messages
from segued.model.chord_model import ChordModel
from segued.model.loading import playable
from segued.model.session import Model
from segued.tokens.chord_vocabulary import SILENCE, ChordVocabulary, chords_of
from segued.tokens.events import NoteOff, NoteOn
from segued.tokens.vocabulary import PERFORMANCE
from segued.tools.bench import core

from ..support.fakes import settings, tokens
from ..support.tiny import (
    pieces_of,
    scale_work,
    work,
    write_midi,
    write_model,
    write_works,
)

NONE = SeedAugmentation(0, 0, 0.0)
NOTES = ChordVocabulary([(p,) for p in range(40, 60)])
MANY = ChordVocabulary([(p,) for p in range(128)])
SIZES = NetworkConfig(len(NOTES), embedding=8, layers=(12, 8), dense=10, dropout=0.2, latches=0)
SHORT = SeedConfig(epochs=3, batch=4, window=6, stride=2, checkpoint_every=5)
TINY_NETWORK = ["--layers", "12,8", "--embedding", "8", "--dense", "8", "--batch", "8"]


def lines(*lengths: int) -> list[np.ndarray]:
    """Pieces that count up, so that a symbol tells where it stands."""
    return [np.arange(1, length + 1) for length in lengths]


def all_windows(windows: Windows, epoch: int = 0) -> list[tuple[list[int], list[int]]]:
    pairs = [windows.get(epoch, i)[:2] for i in range(windows.batches)]
    return [(x.tolist(), y.tolist()) for xs, ys in pairs for x, y in zip(xs, ys, strict=True)]


# --- windows ---


def test_each_symbol_is_the_target_of_the_window_before_it() -> None:
    windows = Windows(lines(6, 3), NOTES, window=4, batch=3, augmentation=NONE)
    assert len(windows) == 5 + 2 and windows.batches == 3
    assert sorted(all_windows(windows), key=lambda pair: (pair[1], pair[0])) == [
        ([0, 0, 0, 1], [2]),
        ([0, 0, 0, 1], [2]),
        ([0, 0, 1, 2], [3]),
        ([0, 0, 1, 2], [3]),
        ([0, 1, 2, 3], [4]),
        ([1, 2, 3, 4], [5]),
        ([2, 3, 4, 5], [6]),
    ]


def test_with_all_targets_each_symbol_is_learnt_in_its_place() -> None:
    windows = Windows(lines(11, 3, 1), NOTES, 4, 4, targets="all", augmentation=NONE)
    assert sorted(all_windows(windows)) == [
        ([0, 0, 1, 2], [IGNORE, 1, 2, 3]),
        ([1, 2, 3, 4], [2, 3, 4, 5]),
        ([5, 6, 7, 8], [6, 7, 8, 9]),
        ([7, 8, 9, 10], [8, 9, 10, 11]),  # the last one ends with its piece
    ]


def test_every_epoch_has_an_order_and_draws_of_its_own() -> None:
    windows = Windows(lines(50, 20), MANY, 5, batch=8)
    again = Windows(lines(50, 20), MANY, 5, batch=8)
    first = all_windows(windows)
    assert all_windows(windows, 1) != first
    assert all_windows(windows) == first == all_windows(again)
    assert all_windows(Windows(lines(50, 20), MANY, 5, batch=8, seed=2)) != first


@given(
    st.lists(st.integers(2, 25), min_size=1, max_size=4), st.integers(1, 9), st.integers(1, 9),
    st.integers(0, 30), st.sampled_from(["last", "all"]), st.integers(0, 9),
)  # fmt: skip
def test_a_window_stays_within_its_piece(
    lengths: list[int], window: int, stride: int, shift: int, targets: str, seed: int
) -> None:
    limits = SeedAugmentation(0, shift, 0.0)
    pieces = [np.arange(length) + 1 + 30 * i for i, length in enumerate(lengths)]
    for x, y in all_windows(Windows(pieces, MANY, window, stride, 3, targets, limits, seed)):
        heard = [s for s in x if s != SILENCE]
        assert x == [SILENCE] * (window - len(heard)) + heard and heard
        assert heard == [*range(heard[0], heard[0] + len(heard))]
        assert y[-1] == heard[-1] + 1 and len(y) == (1 if targets == "last" else window)
        piece = (heard[-1] - 1) // 30
        assert 30 * piece < heard[0] and y[-1] <= 30 * piece + lengths[piece]
        if targets == "all":
            expected = [s if s != SILENCE else IGNORE for s in x[1:]] + [y[-1]]
            assert y == expected


def test_a_window_is_transposed_as_a_whole() -> None:
    windows = Windows([np.arange(8, 14)], NOTES, 3, augmentation=SeedAugmentation(3, 0, 0.0))
    seen = {tuple(x) for epoch in range(20) for x, _ in all_windows(windows, epoch) if x[0]}
    assert {x[0] - 8 for x in seen} >= {-3, 3}
    assert all(x == (x[0], x[0] + 1, x[0] + 2) for x in seen)


def test_what_a_transposition_makes_unknown_becomes_the_nearest() -> None:
    notes = ChordVocabulary([(60,), (61,), (62,), (60, 64), (61, 65)])
    table = transpositions(notes, 1)
    assert table.shape == (3, 6) and table[1].tolist() == [0, 1, 2, 3, 4, 5]
    assert (table[:, 0] == SILENCE).all()
    assert notes.chords[table[2, notes.id((60, 64))]] == (61, 65)
    assert notes.chords[table[2, notes.id((61, 65))]] == (62,)
    assert notes.chords[table[0, notes.id((60,))]] == (60,)  # 59 is not known


def test_noise_is_in_the_inputs_only_and_as_frequent_as_asked() -> None:
    piece = np.tile([3, 3, 3, 7], 500)
    windows = Windows([piece], NOTES, 50, 50, 64, "all", SeedAugmentation(0, 0, 0.25))
    pairs = all_windows(windows)
    clean = np.array([x[1:] for x, _ in pairs]) == np.array([y[:-1] for _, y in pairs])
    assert all(set(y) <= {3, 7, IGNORE} for _, y in pairs)
    wrong = np.mean(~clean[np.array([x[0] != SILENCE for x, _ in pairs])])
    assert wrong == pytest.approx(0.25 * 2 * 0.75 * 0.25, rel=0.25)  # drawn as often as they occur


# --- training ---


@pytest.fixture
def no_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "plot", lambda *about: None)


def trainer(out: Path, config: SeedConfig = SHORT, sizes: NetworkConfig = SIZES) -> Trainer:
    limits = SeedAugmentation(2, 3, 0.05)
    return of_task(out, SeedTask(sizes, config, limits, NOTES, lines(19, 7), lines(9)))


def of_task(out: Path, task: SeedTask) -> Trainer:
    return Trainer(out, task, task.train_config, {}, single_process(task.config.device))


@pytest.mark.slow
@pytest.mark.usefixtures("no_pictures")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_run_that_was_stopped_ends_with_the_same_bits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    straight = trainer(tmp_path / "straight")
    assert straight.run() == 0
    first = trainer(tmp_path / "stopped")
    assert isinstance(first.task, SeedTask)
    windows = first.task.windows
    get, stopped = windows.get, windows.batches + 2
    assert straight.update == 3 * windows.batches

    def get_and_be_stopped(epoch: int, index: int) -> Batch:
        if (epoch, index) == (1, 1):
            os.kill(os.getpid(), number)
        return get(epoch, index)

    monkeypatch.setattr(windows, "get", get_and_be_stopped)
    assert first.run() == 128 + number and first.update == stopped
    second = trainer(tmp_path / "stopped")
    assert second.update == stopped and second.run() == 0
    one, other = second.network.state_dict(), straight.network.state_dict()
    assert all(torch.equal(one[name], other[name]) for name in other)
    assert [{**r, "seconds": 0} for r in second.log] == [{**r, "seconds": 0} for r in straight.log]
    assert [r["epoch"] for r in straight.log] == [1, 2, 3]
    best = [load_file(t.out / "best.safetensors") for t in (second, straight)]
    assert all(torch.equal(best[0][name], best[1][name]) for name in best[1])


@pytest.mark.slow
@pytest.mark.usefixtures("no_pictures")
def test_more_epochs_go_on_and_other_sizes_do_not(tmp_path: Path) -> None:
    trainer(tmp_path).run()
    longer = trainer(tmp_path, replace(SHORT, epochs=4, learning_rate=1e-4))
    assert longer.run() == 0 and [row["epoch"] for row in longer.log] == [1, 2, 3, 4]
    for change, option in (
        ({"sizes": replace(SIZES, layers=(12,))}, "--layers 12,8"),
        ({"sizes": replace(SIZES, embedding=9)}, "--embedding 8"),
        ({"config": replace(SHORT, window=7)}, "--window 6"),
        ({"config": replace(SHORT, targets="all")}, "--targets last"),
    ):
        with pytest.raises(UsageError, match=f"was started with {option} and cannot"):
            trainer(tmp_path, **change)
    (tmp_path / "last.pt").write_bytes(b"")
    with pytest.raises(DataError, match=r"last\.pt cannot be resumed"):
        trainer(tmp_path)


@pytest.mark.slow
@pytest.mark.usefixtures("no_pictures")
@pytest.mark.parametrize("targets", ["last", "all"])
def test_it_learns_a_scale(tmp_path: Path, targets: str) -> None:
    piece = np.tile(np.arange(1, 9), 30)
    sizes, config = replace(SIZES, dropout=0.0), replace(SHORT, learning_rate=0.01, targets=targets)
    config = replace(config, epochs=8, batch=16, stride=1)
    learner = of_task(tmp_path, SeedTask(sizes, config, NONE, NOTES, [piece], [piece]))
    learner.run()
    nats = carried_nats if targets == "all" else window_nats
    assert learner.log[0]["valid_nll"] > 0.8 and learner.best < 0.3
    assert nats(learner.network, [piece], 6, 100) == pytest.approx(
        learner.log[-1]["valid_nll"], 0.2
    )


@pytest.mark.usefixtures("no_pictures")
def test_half_precision(tmp_path: Path) -> None:
    half = trainer(tmp_path / "half", replace(SHORT, precision="bf16"))
    full = trainer(tmp_path / "full")
    assert half.run() == full.run() == 0 and half.best != full.best
    assert half.best == pytest.approx(full.best, rel=0.1)
    with pytest.raises(UsageError, match="--precision fp16 is for GPUs"):
        trainer(tmp_path / "fp16", replace(SHORT, precision="fp16", device="cpu"))


@pytest.mark.usefixtures("no_pictures")
def test_symbols_as_one_number(tmp_path: Path) -> None:
    """The tutorial's own input: it does not learn, and the model file is like any other."""
    sizes = replace(SIZES, embedding=1)
    learner = trainer(tmp_path, replace(SHORT, input="number"), sizes)
    learner.run()
    expected = torch.arange(len(NOTES)).unsqueeze(1) / len(NOTES)
    assert torch.equal(learner.network.embedding.weight, expected)
    trained = {id(weight) for weight in learner.optimizer.parts[0].param_groups[0]["params"]}
    assert id(learner.network.embedding.weight) not in trained and len(trained) > 10


def test_the_loss_is_the_cross_entropy_with_one_hot_targets() -> None:
    logits = torch.randn(5, 7)
    targets = torch.tensor([0, 3, 3, 6, 1])
    one_hot = torch.nn.functional.one_hot(targets, 7).float()
    by_hand = -(one_hot * torch.log_softmax(logits, 1)).sum(1).mean()
    assert torch.allclose(torch.nn.functional.cross_entropy(logits, targets), by_hand)


def test_the_last_logits_alone() -> None:
    network = Network(SIZES).eval()
    symbols, state = torch.randint(0, len(NOTES), (3, 6)), network.initial_state(3)
    every, after = network(symbols, state)
    last, same = network(symbols, state, last=True)
    assert last.shape == (3, 1, len(NOTES)) and torch.equal(after, same)
    assert torch.allclose(last, every[:, -1:], atol=1e-6)


def test_validation_is_as_the_daemon_plays() -> None:
    network, pieces = Network(SIZES).eval(), lines(9, 4)
    carried, windows = 0.0, 0.0
    for piece in pieces:
        symbols = torch.tensor([[SILENCE] * 5 + piece.tolist()])
        with torch.no_grad():
            shares = torch.log_softmax(network(symbols, network.initial_state(1))[0], 2)[0]
            for i in range(len(piece) - 1):
                carried -= float(shares[5 + i, piece[i + 1]])
                alone = network(symbols[:, i + 1 : i + 6], network.initial_state(1))[0][0, -1]
                windows -= float(torch.log_softmax(alone, 0)[piece[i + 1]])
    assert carried_nats(network, pieces, 5, 100) == pytest.approx(carried / 11, rel=1e-5)
    assert window_nats(network, pieces, 5, 100) == pytest.approx(windows / 11, rel=1e-5)
    assert window_nats(network, pieces, 5, 3) != window_nats(network, pieces, 5, 100)


# --- from outside ---


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("corpus")
    write_works(folder)
    return folder


@pytest.fixture(scope="module")
def model(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("seed")
    before = Path.cwd()
    os.chdir(folder)
    try:
        train = ["train", "--preset", "seed", "--data", str(corpus), "--out", "run", *TINY_NETWORK]
        assert main([*train, "--epochs", "2", "--window", "20", "--stride", "9"]) == 0
        assert main(["onnx", "run", "seed.onnx", "--precision", "int8"]) == 0
    finally:
        os.chdir(before)
    return folder / "seed.onnx"


@pytest.mark.slow
def test_a_run_leaves_what_every_run_does(model: Path) -> None:
    run = model.parent / "run"
    assert {*os.listdir(run)} == {
        *("run.json", "last.pt", "best.safetensors", "log.csv", "curves.png")
    }
    described = json.loads((run / "run.json").read_text())
    assert described["preset"] == "seed" and described["symbols"][0] == ""
    assert (run / "log.csv").read_text().startswith("epoch,targets,seconds,train_nll,valid_nll\n1,")


def test_the_model_file_keeps_the_contract(model: Path) -> None:
    loaded = Model.load(model)
    assert loaded.notes is not None and loaded.info["window"] == 20
    assert loaded.info["vocabulary"] == loaded.notes.name == f"notes-{len(loaded.notes)}"
    assert loaded.info["fingerprint"] == loaded.notes.fingerprint
    logits, state = loaded.run(np.array([[1, 2, 3]]), np.zeros((1, loaded.state_size), np.float32))
    assert logits.shape == (1, 3, len(loaded.notes)) and state.shape == (1, 40)
    assert loaded.info["carried"] is False and isinstance(playable(loaded), ChordModel)


def test_the_daemon_plays_it_in_the_performers_pace(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    setting = ["--set", f"model.path={model}", "--set", "turns.reply_length=6"]
    source, target = write_midi(tmp_path / "in.mid", scale_work(times=3)), tmp_path / "out.mid"
    assert segued(["check", *setting]) == 0
    assert "notes-" in capsys.readouterr().out
    assert segued(["render", str(source), str(target), "--seed", "5", *setting]) == 0
    played = [t for t, m in read_messages(target) if m[0] & 0xF0 == 0x90 and m[2] and t > 3.0]
    gaps = np.diff(sorted({round(t, 2) for t in played}))
    np.testing.assert_allclose(gaps, 0.25, atol=0.02)
    assert len(gaps) > 15


@pytest.mark.slow
def test_evaluate_and_compare(
    model: Path, corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = write_model(tmp_path / "other.onnx")
    assert main(["evaluate", str(model), str(corpus), "--json"]) == 0
    values = json.loads(capsys.readouterr().out)
    assert values["files"] == 8 and values["nats_per_symbol"] > values["nats_per_note"] > 1
    assert main(["evaluate", str(model), str(corpus), "--way", "carried"]) == 0
    assert "nats per symbol" in capsys.readouterr().out
    assert main(["compare", str(corpus), str(model), str(other), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [row["model"] for row in found["rows"]] == ["seed.onnx", "seed.onnx", "other.onnx"]
    assert found["rows"][0]["nats_per_chord"] == pytest.approx(values["nats_per_symbol"], rel=0.01)
    beside = ["evaluate", str(other), str(corpus), "--quick", "--seed-model", str(model)]
    assert main([*beside, "--json"]) == 0
    values = json.loads(capsys.readouterr().out)["seed"]
    assert [row["nats_per_chord"] for row in values["rows"]] == [
        row["nats_per_chord"] for row in (found["rows"][2], *found["rows"][:2])
    ]
    assert main(beside) == 0
    assert "nats a chord, pitches alone: seed.onnx, window of 20 run anew *" in (
        capsys.readouterr().out
    )
    assert main(["compare", str(corpus), str(model)]) == 0
    assert "window of 20 run anew *" in capsys.readouterr().out
    for arguments, status, told in (
        (["compare", str(corpus), str(other)], 64, "--preset seed"),
        (["evaluate", str(other), str(corpus), "--way", "window"], 64, "--way is for"),
    ):
        assert main(arguments) == status
        line = capsys.readouterr().err
        assert told in line and line.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "status", "told"),
    [
        (["--tempo", "1-1"], 64, "unrecognized arguments: --tempo"),
        (["--symbols", "1"], 64, "2 or more"),
        (["--targets", "none"], 64, "invalid choice"),
        (["--noise", "1"], 64, "below 1"),
        (["--input", "number", "--embedding", "4"], 64, "--embedding is a vector's size"),
        (["--data", ".,jitter=4"], 64, "no time or velocity"),
        (["--data", "nowhere"], 65, "no such folder"),
    ],
)
def test_failures_are_one_line(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str], arguments: list[str], status: int, told: str,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    try:
        command = ["train", "--preset", "seed", "--data", str(corpus), "--out", "run"]
        assert main([*command, *arguments]) == status
    except SystemExit as exit:
        assert exit.code == status
    line = capsys.readouterr().err.splitlines()
    assert told in line[-1] and line[-1].startswith("segue-export")


def test_pieces_of_one_chord_teach_nothing(
    corpus: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    write_midi(Path("one/a.mid"), [NoteOn(0.0, 60, 80), NoteOff(1.0, 60)])
    command = ["train", "--preset", "seed", "--out", "run"]
    for data, valid, told in (
        ("one", str(corpus), "to learn"),
        (str(corpus), "one", "to validate"),
    ):
        assert main([*command, "--data", data, "--valid", valid]) == 65
        assert f"nothing {told}" in capsys.readouterr().err


def test_one_process_only(
    corpus: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.chdir(tmp_path)
    assert main(["train", "--preset", "seed", "--data", str(corpus), "--out", "run"]) == 64
    assert "without torchrun" in capsys.readouterr().err and not Path("run").exists()


def test_an_unknown_preset_and_the_options_of_each(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["train", "--preset", "keras"])
    assert "invalid choice: 'keras'" in capsys.readouterr().err
    for arguments, there, not_there in (
        (["train", "--help"], "--tempo", "--targets"),
        (["train", "--preset", "seed", "--help"], "--targets", "--tempo"),
        (["train", "--preset=seed", "--help"], "--targets", "--tempo"),
    ):
        with pytest.raises(SystemExit):
            main(arguments)
        shown = capsys.readouterr().out
        assert there in shown and not_there not in shown and "--preset" in shown


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"symbols": "[]"}, "symbols are broken"),
        ({"symbols": "{"}, "symbols are broken"),
        ({"symbols": '["60", 61]'}, "symbols are broken"),
        ({"symbols": '["60"]'}, "is 0123"),
        ({"symbols": '["60"]', "fingerprint": ChordVocabulary([(60,)]).fingerprint}, "incomplete"),
        ({"symbols": '["60"]', "window": "-1",
          "fingerprint": ChordVocabulary([(60,)]).fingerprint}, "incomplete"),
        ({"symbols": '["60"]', "window": "100", "carried": "perhaps",
          "fingerprint": ChordVocabulary([(60,)]).fingerprint}, "incomplete"),
        ({"symbols": '["60"]', "window": "100", "carried": "true",
          "fingerprint": ChordVocabulary([(60,)]).fingerprint}, "contradict"),
    ],
)  # fmt: skip
def test_metadata_that_do_not_fit(tmp_path: Path, change: dict[str, Any], told: str) -> None:
    path = write_model(tmp_path / "m.onnx", **({"fingerprint": "0123"} | change))
    with pytest.raises(DataError, match=told) as error:
        Model.load(path)
    assert "\n" not in str(error.value)


# --- measures ---


def test_nats_of_symbols_carried_and_run_anew(model: Path) -> None:
    loaded = Model.load(model)
    assert loaded.notes is not None
    pieces = gather(pieces_of([work(1, 15), work(2, 30)])).symbols(loaded.notes)
    played = ChordModel(loaded, loaded.notes, 20)
    carried, anew = (symbol_nats(loaded, pieces, way) for way in ("carried", "window"))
    for piece, one, other in zip(pieces, carried, anew, strict=True):
        assert len(one) == len(other) == len(piece) - 1
        logits, state = loaded.step([SILENCE] * 20, loaded.initial_state())
        np.testing.assert_array_equal(state, played.initial_state()[: loaded.state_size])
        for i, symbol in enumerate(piece.tolist()[:-1]):
            logits, state = loaded.step([symbol], state)
            assert one[i] == pytest.approx(surprise(logits, piece[i + 1]), abs=0.02)  # int8
            window = ([SILENCE] * 20 + piece.tolist())[i + 1 : i + 21]
            logits, _ = loaded.step(window, loaded.initial_state())
            assert other[i] == pytest.approx(surprise(logits, piece[i + 1]), abs=0.02)


def surprise(logits: np.ndarray, symbol: int) -> float:
    weights = np.exp(logits[1:].astype(np.float64))
    return -math.log(weights[symbol - 1] / weights.sum())


def test_totals_of_an_evaluation(model: Path) -> None:
    loaded = Model.load(model)
    assert loaded.notes is not None
    unknown = scale_work((25, 28), 4)
    pieces = pieces_of([work(1, 15), unknown])
    result = evaluate_chords(loaded, pieces)
    chords = [chords_of(piece.tolist()) for piece in pieces]
    assert result.symbols == sum(len(c) - 1 for c in chords) and result.files == 2
    known = [loaded.notes.id(c) is not None for cs in chords for c in cs[1:]]
    assert result.known == sum(known) and 0 < result.known < result.symbols - 6
    assert result.notes + result.left_out == sum(len(c) for cs in chords for c in cs[1:])


def test_tokens_belong_to_chords() -> None:
    ids = tokens("v20 on60 on64 t9 off60 off64 t9 v22 on62 v20 on65 t3 t3 off62 t50 on60")
    assert chord_numbers(ids).tolist() == [-1, 0, 0, 0, *[-1] * 4, 1, 1, 1, 1, 1, -1, -1, 2]


def test_pitches_alone_of_a_performance_model(tmp_path: Path) -> None:
    """Against the same worked out token by token."""
    loaded = Model.load(write_model(tmp_path / "m.onnx"))
    ids = tokens("v20 on60 on64 t9 off60 off64 t9 v22 on62 v20 on65 t30 off62 off65")
    found = chord_nats(loaded, pieces_of([work(3, 9)]))[0]
    assert len(found) == len(chords_of(pieces_of([work(3, 9)])[0].tolist()))
    from segue_export.corpus.pieces import join

    found = chord_nats(loaded, join(["a"], [np.array(ids, np.uint16)]))[0]
    expected, state, shares = [0.0, 0.0], loaded.initial_state(), np.zeros(388)
    for i, id in enumerate(ids):
        kind, before = PERFORMANCE.tokens[id][0], ids[i - 1] if i else None
        chord = 0 if i < 5 else 1
        if before is not None:
            on, shift, loud = shares[:128].sum(), shares[256:356].sum(), shares[356:].sum()
            if kind == "NOTE_ON":
                expected[chord] -= math.log(shares[id] / on)
            if before < 128:
                goes_on = (shift if kind == "TIME_SHIFT" else on + loud) / (on + loud + shift)
                expected[chord] -= math.log(goes_on)
        logits, state = loaded.step([id], state)
        shares = np.exp(logits.astype(np.float64))
        shares /= shares.sum()
    np.testing.assert_allclose(found, expected, rtol=1e-4)


@pytest.mark.slow
def test_the_bench_measures_it_as_any_other(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, count in (("STEPS", 100), ("NOTES", 20), ("STRETCHES", 2)):
        monkeypatch.setattr(core, name, count)
    figures = {figure.name: figure for figure in core.measure(settings(f"model.path={model}"))}
    assert min(figures["model step, int8"].values) > 0.0
    note = figures["a generated note"]
    assert min(note.values) > 0.0 and np.median(note.floor) > 0.0
