"""The network is told the beat: the layer, beats of pieces, training it alone, its model file."""

from dataclasses import replace
from pathlib import Path

import mido
import numpy as np
import pytest
import torch
from segue_export import report
from segue_export.augment import Augmentation, Component, augment, augment_with
from segue_export.beat import PARTS, SHIFTS, BeatLayer
from segue_export.checkpoint import check_fit
from segue_export.config import TrainConfig
from segue_export.corpus.beats import SHIFT, beats_of_file, steps_after
from segue_export.corpus.encoding import encode_file, encode_file_exactly
from segue_export.corpus.pieces import Pieces, join_all
from segue_export.corpus.store import read_folder, store_of
from segue_export.data import Streams
from segue_export.network import Network, widened
from segue_export.onnx_export.exporter import compare
from segue_export.onnx_export.reader import read_model
from segue_export.task import PerformanceTask
from segue_export.train import Trainer
from segue_export.validation import validate
from segued.errors import DataError, UsageError
from segued.model.session import Model
from segued.tokens.tokenizer import encode

from ..support.tiny import (
    TINY,
    network,
    pieces_of,
    scale_work,
    work,
    write_midi,
    write_model,
    write_network,
)

HEARING = replace(TINY, beat=True)
EVEN = np.array(encode(scale_work(times=16)), np.int64)  # 0.25 s from note to note
KNOWN = (1.0, 0.02, 4.0)
ALONE = TrainConfig(
    updates=6, batch=2, time=64, optimizer="adamw", learning_rate=1e-2, warmup=1, only="beat",
    validate_every=3,
)  # fmt: skip


def random_beats(shape: tuple[int, int]) -> np.ndarray:
    """Beats known and unknown, bars too, (rows, time, 3)."""
    rng = np.random.default_rng(5)
    beats = np.zeros((*shape, 3), np.float32)
    beats[..., 1] = rng.uniform(0.004, 0.06, shape)
    beats[..., 2] = rng.choice([0, 2, 3, 4, 6], shape)
    beats[..., 0] = rng.uniform(0, 1, shape) * np.maximum(1, beats[..., 2])
    beats[rng.random(shape) < 0.3] = 0.0
    return beats


def gained(layer: BeatLayer, beat: tuple[float, float, float]) -> np.ndarray:
    """What each time shift gains, (SHIFTS,), where the dense layer gives nothing."""
    with torch.no_grad():
        x = torch.zeros(1, 1, layer.places.in_features)
        found: np.ndarray = layer(x, torch.tensor([[beat]]))[0, 0].numpy()
    return found


def test_a_time_shift_gets_what_the_place_has_to_which_it_leads() -> None:
    layer = BeatLayer(8)
    assert not gained(layer, KNOWN).any()
    of_beat = torch.arange(PARTS, dtype=torch.float32)
    with torch.no_grad():
        layer.places.bias[:PARTS] = of_beat
    for beat in (KNOWN, (0.0, 0.02, 0.0)):  # a whole beat is 50 steps
        shifts = gained(layer, beat)
        assert shifts.shape == (SHIFTS,)
        assert shifts[24] == pytest.approx(PARTS / 2, abs=1e-3)  # half a beat later
        assert shifts[12] == pytest.approx(0.26 * PARTS, abs=1e-3)  # between two places
        assert shifts[49] == pytest.approx(0.0, abs=0.1) and shifts[46] > 20  # begins again
    assert not gained(layer, (0.5, 0.0, 4.0)).any()
    with torch.no_grad():
        layer.places.bias[:PARTS] = 0
        layer.places.bias[PARTS + 2 * PARTS] = 1.0  # the third beat
    assert gained(layer, KNOWN).argmax() == 49
    assert gained(layer, (1.0, 0.02, 0.0)).max() == 0.0  # no bar is known
    assert gained(layer, (1.0, 0.02, 2.0)).max() == 0.0  # it has no third
    assert gained(layer, (5.0, 0.02, 6.0)).argmax() == 49  # six beats are four and two


def test_the_layer_begins_with_nothing_and_unknown_beats_add_nothing() -> None:
    tokens = torch.from_numpy(EVEN[None])
    for made, beat in (
        (Network(HEARING).eval(), torch.from_numpy(random_beats((1, len(EVEN))))),
        (network(1, HEARING), torch.zeros(1, len(EVEN), 3)),
    ):
        state = made.initial_state(1)
        with torch.no_grad():
            without, _ = made(tokens, state)
            told, after = made(tokens, state, beat=beat)
            last, _ = made(tokens, state, last=True, beat=beat)
        assert torch.equal(without, told) and len(after[0]) == HEARING.state_size
        torch.testing.assert_close(last, told[:, -1:])


def write_score(
    path: Path,
    bar: int = 3,
    pickup: float = 0.0,
    loose: float = 0.0,
    signature: bool = True,
    step: float = 0.5,
) -> Path:
    """Notes a `step` apart in bars of so many quarters, slower in the second half; a `pickup`
    before the notes; `loose` is how far they are off their place; all in beats."""
    rng, ticks = np.random.default_rng(1), 480
    track = mido.MidiTrack()
    if signature:
        track.append(mido.MetaMessage("time_signature", numerator=bar, denominator=4))
    track.append(mido.MetaMessage("set_tempo", tempo=500_000))
    events = [(16 * ticks, mido.MetaMessage("set_tempo", tempo=1_000_000))]
    for i in range(64):
        tick = round((pickup + i * step + rng.uniform(0, loose)) * ticks)
        events.append((tick, mido.Message("note_on", note=60 + i % 5, velocity=70)))
        events.append((tick + 200, mido.Message("note_off", note=60 + i % 5)))
    now = 0
    for tick, message in sorted(events, key=lambda event: event[0]):
        track.append(message.copy(time=tick - now))
        now = tick
    path.parent.mkdir(parents=True, exist_ok=True)
    file = mido.MidiFile(ticks_per_beat=ticks)
    file.tracks.append(track)
    file.save(path)
    return path


def test_the_beats_of_a_score_are_those_that_its_file_tells(tmp_path: Path) -> None:
    path = write_score(tmp_path / "a.mid", pickup=1.0)
    ids, beats = encode_file(path), beats_of_file(path)
    assert beats is not None and not isinstance(ids, str)
    steps = steps_after(ids)
    heard = beats.at(steps)
    on = np.flatnonzero(ids < 128)
    notes = heard[on]
    wanted = (1 + np.arange(64) / 2) % 3
    np.testing.assert_allclose(notes[:, 0], wanted, atol=0.02)
    np.testing.assert_allclose(notes[:28, 1], 0.02, atol=1e-3)  # 120 beats a minute
    np.testing.assert_allclose(notes[32:, 1], 0.01, atol=1e-3)
    assert set(notes[:, 2].tolist()) == {3.0}
    without = beats.at(steps, barred=False)[on]
    np.testing.assert_allclose(without[:, 0], wanted % 1, atol=0.02)
    assert not without[:, 2].any() and (without[:, 1] == notes[:, 1]).all()
    assert not beats.at(np.array([-1000.0, 1e6])).any()  # beyond its ends


def test_bars_are_unknown_where_a_file_does_not_tell_them(tmp_path: Path) -> None:
    for path in (
        write_score(tmp_path / "a.mid", signature=False), write_score(tmp_path / "b.mid", bar=1)
    ):  # fmt: skip
        beats = beats_of_file(path)
        assert beats is not None and not beats.bars.any() and not beats.places.any()


def test_what_keeps_to_no_beat_has_none(tmp_path: Path) -> None:
    assert beats_of_file(write_score(tmp_path / "loose.mid", loose=1.0)) is None
    assert beats_of_file(write_score(tmp_path / "off.mid", pickup=0.25)) is None
    assert beats_of_file(write_score(tmp_path / "after.mid", pickup=0.5, step=1.0)) is None
    assert beats_of_file(tmp_path / "none.mid") is None
    assert beats_of_file(write_midi(tmp_path / "roll.mid", work(3, 80))) is None


def test_beats_are_played_as_the_notes_are(tmp_path: Path) -> None:
    """In another tempo, drifting, late: each note of a score without jitter stays on its place."""
    path = write_score(tmp_path / "a.mid")
    piece, beats = encode_file_exactly(path), beats_of_file(path)
    assert beats is not None and not isinstance(piece, str)
    limits, component = Augmentation(drift=0.2), Component(pieces_of([]), 1.0, 1e-9)
    lengths = set()
    for seed in range(8):
        rng = np.random.default_rng(seed)
        ids, times = augment_with(piece, rng, limits, component, beats.times)
        same = augment(piece, np.random.default_rng(seed), limits, component)
        assert ids.tolist() == same.tolist()
        heard = replace(beats, times=times).at(steps_after(ids))[np.flatnonzero(ids < 128)]
        off = heard[:, 0] * 2 - np.rint(heard[:, 0] * 2)
        assert len(heard) == 64 and np.abs(off).mean() < 0.03  # a step is up to 0.04
        lengths.add(len(ids))
    assert len(lengths) > 3


def test_pieces_know_their_files_however_they_were_read(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_score(tmp_path / name / "sub" / f"{name}.mid")
    one = read_folder(tmp_path / "one", tmp_path / "cache")
    two = read_folder(tmp_path / "two")
    both = join_all([pieces_of([work(1, 9)]), one, two])
    paths = [both.path(i) for i in range(3)]
    assert paths == [None, *(tmp_path / n / "sub" / f"{n}.mid" for n in ("one", "two"))]
    assert both.select([2, 0]).path(0) == paths[2]
    stored = store_of(tmp_path / "one", tmp_path / "cache")
    assert read_folder(stored).path(0) == paths[1]


def test_old_weights_are_taken_and_the_layer_is_added() -> None:
    old, new = network(1), Network(HEARING)
    weights = widened(old.state_dict(), new.state_dict())
    assert not weights["beat.places.weight"].any()
    new.load_state_dict(weights)
    with pytest.raises(ValueError, match="beat"):
        widened(new.state_dict(), old.state_dict())


@pytest.fixture(scope="module")
def scores(tmp_path_factory: pytest.TempPathFactory) -> Pieces:
    folder = tmp_path_factory.mktemp("scores")
    for bar in (2, 3, 4):
        write_score(folder / f"{bar}.mid", bar)
    return read_folder(folder)


def trainer(out: Path, scores: Pieces, config: TrainConfig = ALONE) -> Trainer:
    parts = [Component(scores, 1.0, 0.005)]
    task = PerformanceTask(HEARING, config, Augmentation(), parts, scores)
    return Trainer(out, task, config, {"data": ["a"]})


def test_it_is_trained_alone(
    tmp_path: Path, scores: Pieces, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report, "plot", lambda *about: None)
    made = trainer(tmp_path / "run", scores)
    made.begin_with(network(3).state_dict(), Path("old"))
    before = {name: weight.clone() for name, weight in made.network.state_dict().items()}
    assert made.run() == 0
    for name, weight in made.network.state_dict().items():
        assert torch.equal(weight, before[name]) != name.startswith("beat."), name
    again = trainer(tmp_path / "run", scores, replace(ALONE, updates=8))
    assert again.update == 6 and again.run() == 0
    with pytest.raises(UsageError, match="only"):
        check_fit(tmp_path / "run", {
            "network": HEARING.to_dict(), "train": {**ALONE.__dict__, "only": None},
            "about": {"data": ["a"]},
        })  # fmt: skip


def test_what_is_learned_helps_where_the_beat_is_known(scores: Pieces) -> None:
    torch.manual_seed(1)
    made, piece = Network(HEARING), scores.select([1])
    made.train_only("beat")
    optimizer = torch.optim.AdamW([w for w in made.parameters() if w.requires_grad], 0.05)
    ids, path = torch.from_numpy(piece[0].astype(np.int64))[None], piece.path(0)
    beats = beats_of_file(path) if path is not None else None
    assert beats is not None
    heard = torch.from_numpy(beats.at(steps_after(piece[0])))[None, :-1]
    for _ in range(30):
        logits, _ = made(ids[:, :-1], made.initial_state(1), beat=heard)
        loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    told = validate(made, piece, 3000).nll
    assert told < validate(made, piece, 3000, beat=False).nll - 0.1


def test_the_beat_is_heard_in_a_share_of_the_playings(scores: Pieces) -> None:
    component = Component(scores, 1.0)
    bars = set()
    for share, low, high in ((1.0, 0.5, 1.0), (0.5, 0.1, 0.7), (0.0, 0.0, 0.0)):
        streams = Streams([component], 8, 64, Augmentation(), 3, beats=share)
        heard = [streams.next().beat for _ in range(20)]
        known = np.mean([(beat[..., 1] > 0).mean() for beat in heard if beat is not None])
        assert len(heard) == 20 and low <= known <= high
        bars |= {
            float(bar) for beat in heard if beat is not None for bar in np.unique(beat[..., 2])
        }
    assert bars == {0.0, 2.0, 3.0, 4.0}
    assert Streams([component], 2, 64, Augmentation(), 3).next().beat is None
    unknown = Streams([Component(pieces_of([work(1)]), 1.0)], 2, 64, Augmentation(), 3, beats=1.0)
    beat = unknown.next().beat
    assert beat is not None and not beat.any()
    streams = Streams([component], 2, 64, Augmentation(), 3, beats=1.0)
    state = streams.state()
    expected = streams.next().beat
    twin = Streams([component], 2, 64, Augmentation(), 9, beats=1.0)
    twin.restore(state)
    np.testing.assert_array_equal(twin.next().beat, expected)


@pytest.mark.parametrize("precision", ["fp32", "int8", "fp16"])
def test_a_model_file_adds_what_torch_adds(tmp_path: Path, precision: str) -> None:
    sizes = replace(HEARING, layers=(8, 8))
    path = write_model(tmp_path / "m.onnx", precision, 2, sizes)
    model, made = Model.load(path), network(2, sizes)
    assert model.takes_beat
    tokens = np.stack([EVEN[:60], EVEN[5:65]])
    state, beats = np.zeros((2, model.state_size), np.float32), random_beats((2, 60))
    plain, after = model.run(tokens, state)
    told, same = model.run(tokens, state, beats)
    np.testing.assert_array_equal(after, same)
    unknown = beats[..., 1] == 0
    np.testing.assert_array_equal(told[unknown], plain[unknown])
    with torch.no_grad():
        start = made.initial_state(2)
        without, _ = made(torch.from_numpy(tokens), start)
        wanted, _ = made(torch.from_numpy(tokens), start, beat=torch.from_numpy(beats))
    close = {"fp32": 1e-4, "fp16": 0.05, "int8": 1.0}[precision]
    np.testing.assert_allclose(told - plain, (wanted - without).numpy(), atol=close)
    assert np.abs(told - plain)[~unknown].max() > 2 * close
    if precision == "fp32":
        assert compare(made, model, tokens).logits < 1e-3
        assert read_model(path).network == sizes


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_unknown_beats_give_the_very_logits_of_a_file_without(
    tmp_path: Path, precision: str
) -> None:
    """To the bit, also after a step in which the beat was known."""
    new = Model.load(write_model(tmp_path / "new.onnx", precision, 4, HEARING))
    made = network(4, HEARING)
    made.beat = None
    old = Model.load(write_network(tmp_path / "old.onnx", made, precision))
    assert not old.takes_beat
    ours = theirs = new.initial_state()
    for i, id in enumerate(EVEN[:40].tolist()):
        told, same = new.step((id,), ours, KNOWN)
        logits, ours = new.step((id,), ours)
        expected, theirs = old.step((id,), theirs)
        np.testing.assert_array_equal(logits, expected)
        np.testing.assert_array_equal(ours, theirs)
        np.testing.assert_array_equal(same, ours)
        assert (told[SHIFT.start : SHIFT.stop - 1] != logits[SHIFT.start : SHIFT.stop - 1]).any()
        assert np.delete(told, SHIFT).tolist() == np.delete(logits, SHIFT).tolist(), i
    assert (old.step((5,), theirs, KNOWN)[0] == old.step((5,), theirs)[0]).all()


def test_another_shape_of_the_beat_is_refused(tmp_path: Path) -> None:
    import onnx

    path = write_model(tmp_path / "m.onnx", sizes=HEARING)
    model = onnx.load(path)
    model.graph.input[2].type.tensor_type.shape.dim[2].dim_value = 2
    path.write_bytes(model.SerializeToString())
    with pytest.raises(DataError):
        Model.load(path)


def test_a_run_from_before_has_no_beat() -> None:
    assert not type(TINY).from_dict({"layers": [4], "latches": 0}).beat
