"""Preparing a corpus: never twice, never half, in any number of processes."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from segue_export.corpus import workers
from segue_export.corpus.encoding import KEY, Exact, encode_file_exactly, fingerprint
from segue_export.corpus.pieces import Pieces, join_all
from segue_export.corpus.shards import Shard
from segue_export.corpus.store import ABOUT, is_store, prepare, read_folder
from segued.errors import DataError
from segued.tokens.tokenizer import encode

from ..support.tiny import changed, pieces_of, work, write_midi
from ..support.waiting import wait_for

ROOT = Path(__file__).parents[2]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for i in range(6):
        write_midi(tmp_path / "music" / f"{i}.mid", work(i, 10 + i))
    (tmp_path / "music" / "broken.mid").write_bytes(b"MThd")
    return tmp_path / "music"


@pytest.fixture
def encoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files that were encoded, as they are."""
    names: list[str] = []

    def encode_and_tell(path: Path) -> Exact | str:
        names.append(path.name)
        return encode_file_exactly(path)

    monkeypatch.setattr(workers, "encode_file_exactly", encode_and_tell)
    return names


def same(a: Pieces, b: Pieces) -> bool:
    grams = [np.array_equal(a.fingerprint(i), b.fingerprint(i)) for i in range(len(a))]
    grams += [np.array_equal(a.exact(i).offsets, b.exact(i).offsets) for i in range(len(a))]
    return (
        a.names == b.names and a.broken == b.broken and np.array_equal(a.tokens, b.tokens)
        and a.lengths.tolist() == b.lengths.tolist() and a.notes == b.notes and all(grams)
    )  # fmt: skip


def test_pieces_lie_in_shards_as_the_encoder_wrote_them(folder: Path, tmp_path: Path) -> None:
    pieces = prepare(folder, tmp_path / "store")
    assert pieces.names == [f"{i}.mid" for i in range(6)]
    assert all("broken.mid" in line for line in pieces.broken) and len(pieces.broken) == 1
    for i, piece in enumerate(pieces):
        assert piece.tolist() == encode(work(i, 10 + i)) and piece.dtype == np.uint16
        assert isinstance(piece, np.memmap)
        assert pieces.fingerprint(i).tolist() == fingerprint(piece).tolist()
    assert pieces.notes == sum((piece < 128).sum() for piece in pieces)
    with pytest.raises(ValueError, match="read-only"):
        pieces[0][0] = 1
    assert same(pieces, prepare(folder, tmp_path / "store"))


def test_only_what_is_new_or_changed_is_encoded(
    folder: Path, tmp_path: Path, encoded: list[str]
) -> None:
    store = tmp_path / "store"
    prepare(folder, store)
    assert len(encoded) == 7
    encoded.clear()
    prepare(folder, store)
    assert encoded == []
    write_midi(folder / "2.mid", changed(work(2, 30), transpose=1))
    write_midi(folder / "deeper" / "new.mid", work(9, 20))
    (folder / "0.mid").unlink()
    pieces = prepare(folder, store)
    assert sorted(encoded) == ["2.mid", "new.mid"]
    assert pieces.names == ["1.mid", "2.mid", "3.mid", "4.mid", "5.mid", "deeper/new.mid"]
    assert pieces[1].tolist() == encode(changed(work(2, 30), transpose=1))
    assert pieces[5].tolist() == encode(work(9, 20))


def test_all_is_encoded_anew_when_the_encoder_has_changed(
    folder: Path, tmp_path: Path, encoded: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    store = tmp_path / "store"
    before = read_folder(folder)
    prepare(folder, store)
    encoded.clear()
    monkeypatch.setattr("segue_export.corpus.store.KEY", "another")
    assert same(prepare(folder, store), before)
    assert len(encoded) == 7
    assert {json.loads(p.read_bytes())["key"] for p in store.glob("*.json")} == {"another"}


def test_what_is_cut_short_is_encoded_again(
    folder: Path, tmp_path: Path, encoded: list[str]
) -> None:
    store = tmp_path / "store"
    whole = prepare(folder, store)
    for suffix in ("tokens", "offsets", "grams", "json"):
        (file,) = store.glob(f"*.{suffix}")
        for length in (0, file.stat().st_size // 2):
            os.truncate(file, length)
            (store / "half.tokens.7.part").write_bytes(b"x")
            encoded.clear()
            assert same(prepare(folder, store), whole) and len(encoded) == 7
            assert len(list(store.glob("*.tokens"))) == 1 and not list(store.glob("*.part"))


def test_a_file_that_breaks_the_encoder_is_told(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(path: Path) -> Exact | str:
        if path.name == "3.mid":
            raise ZeroDivisionError("strange")
        return encode_file_exactly(path)

    monkeypatch.setattr(workers, "encode_file_exactly", fails)
    pieces = prepare(folder, tmp_path / "store")
    assert len(pieces) == 5
    assert any("3.mid: cannot be encoded" in line and "strange" in line for line in pieces.broken)


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_file_without_permission_is_tried_again(folder: Path, tmp_path: Path) -> None:
    (folder / "3.mid").chmod(0)
    pieces = prepare(folder, tmp_path / "store")
    assert len(pieces) == 5 and any("permissions" in line for line in pieces.broken)
    (folder / "3.mid").chmod(0o600)
    assert len(prepare(folder, tmp_path / "store")) == 6


@pytest.mark.slow
def test_several_processes_write_what_one_writes(tmp_path: Path) -> None:
    folder = tmp_path / "music"
    for i in range(70):
        write_midi(folder / f"{i:02}.mid", work(i, 6))
    (folder / "07.mid").write_bytes(b"MThd")
    one, two = prepare(folder, tmp_path / "one", 1), prepare(folder, tmp_path / "two", 2)
    assert same(one, two) and len(one) == 69
    assert len(list((tmp_path / "two").glob("*.json"))) >= 2


PREPARE = """
import signal, sys, time
from pathlib import Path
from segue_export.corpus import workers
encode_file_exactly = workers.encode_file_exactly
def slowly(path):
    print(path.name, flush=True)
    time.sleep(0.1)
    return encode_file_exactly(path)
workers.encode_file_exactly, workers.FILES = slowly, 4
workers.FEW = 1
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may have had it ignored
from segue_export.corpus.store import prepare
prepare(Path(sys.argv[1]), Path(sys.argv[2]))
"""


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_a_preparation_that_is_ended_goes_on_where_it_was(
    folder: Path, tmp_path: Path, encoded: list[str], number: signal.Signals
) -> None:
    for i in range(6, 30):
        write_midi(folder / f"{i}.mid", work(i, 5))
    store = tmp_path / "store"
    process = subprocess.Popen(
        [sys.executable, "-c", PREPARE, str(folder), str(store)], cwd=ROOT, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    with process:
        assert process.stdout is not None
        begun = [process.stdout.readline() for _ in range(10)]
        process.send_signal(number)
        begun += process.stdout.readlines()
    assert process.returncode != 0
    kept = [Shard.open(table, KEY) for table in store.glob("*.json")]
    done = sum(len(shard.files) for shard in kept if shard)
    assert len(begun) - 4 <= done < 31
    pieces = prepare(folder, store)
    assert len(encoded) == 31 - done
    encoded.clear()
    assert same(pieces, prepare(folder, tmp_path / "straight"))


def workers_of(pid: int) -> list[int]:
    """The worker processes of a process, from Linux's own table."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    told = {child: Path(f"/proc/{child}/cmdline").read_bytes() for child in children}
    return [int(child) for child, line in told.items() if b"spawn_main" in line]


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="Linux's table of processes")
@pytest.mark.parametrize("killed", ["parent", "worker"])
def test_a_process_that_is_killed_costs_what_it_had_in_hand(tmp_path: Path, killed: str) -> None:
    folder, cache = tmp_path / "music", tmp_path / "cache"
    base = write_midi(folder / "000.mid", work(1, 150)).read_bytes()
    for i in range(1, 400):
        (folder / f"{i:03}.mid").write_bytes(base)
    command = [sys.executable, "-m", "segue_export", "prepare", str(folder), "--cache", str(cache)]
    parent = subprocess.Popen(
        [*command, "--workers", "2"], cwd=ROOT, stderr=subprocess.PIPE, text=True
    )
    with parent:
        wait_for(lambda: len(workers_of(parent.pid)) == 2 and list(cache.glob("*/*.json")), 120)
        pids = workers_of(parent.pid)
        os.kill(parent.pid if killed == "parent" else pids[0], signal.SIGKILL)
        assert parent.stderr is not None
        told = parent.stderr.read()
    assert parent.returncode == (-signal.SIGKILL if killed == "parent" else 65)
    assert killed == "parent" or "run the command again" in told
    wait_for(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids), 120)
    (store,) = cache.iterdir()
    done = sum(len(json.loads(table.read_bytes())["files"]) for table in store.glob("*.json"))
    assert 0 < done < 400
    pieces = prepare(folder, store)
    assert len(pieces) == 400 and len({piece.tobytes() for piece in pieces}) == 1


@pytest.mark.slow
def test_two_at_once_encode_each_file_once(folder: Path, tmp_path: Path) -> None:
    store = tmp_path / "store"
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", PREPARE, str(folder), str(store)], cwd=ROOT, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )
        for _ in range(2)
    ]  # fmt: skip
    told = [process.communicate() for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    assert sum(out.count("\n") for out, _ in told) == 7


def test_stores_do_not_grow_for_ever(folder: Path, tmp_path: Path, encoded: list[str]) -> None:
    store = tmp_path / "store"
    for i in range(20):  # one file more a day
        write_midi(folder / f"new-{i}.mid", work(i, 5))
        prepare(folder, store)
    assert len(encoded) == 27 and len(list(store.glob("*.json"))) < 17
    for i in range(20):
        (folder / f"new-{i}.mid").unlink()
    encoded.clear()
    pieces = prepare(folder, store)
    assert encoded == [] and len(pieces) == 6
    tokens = sum(file.stat().st_size for file in store.glob("*.tokens")) // 2
    assert tokens <= 2 * pieces.total
    assert same(pieces, prepare(folder, tmp_path / "straight"))


def test_what_another_process_reads_stays(folder: Path, tmp_path: Path) -> None:
    store = tmp_path / "store"
    prepare(folder, store)
    code = "import sys; from pathlib import Path; from segue_export.corpus.store import prepare; "
    code += "kept = prepare(Path(sys.argv[1]), Path(sys.argv[2])); print(len(kept), flush=True); "
    code += "input(); print(sum(map(len, kept)))"
    reader = subprocess.Popen(
        [sys.executable, "-c", code, str(folder), str(store)], cwd=ROOT, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    with reader:
        assert reader.stdout is not None and reader.stdout.readline() == "6\n"
        total = read_folder(folder).total
        for i in range(5):
            (folder / f"{i}.mid").unlink()
        assert len(prepare(folder, store)) == 1
        told, _ = reader.communicate("\n")
    assert int(told) == total
    before = len(list(store.glob("*.tokens")))
    assert len(prepare(folder, store)) == 1 and before == 1
    sizes = [file.stat().st_size for file in store.glob("*.tokens")]
    assert len(sizes) == 1 and sizes[0] < total, "now nobody else reads"


def test_a_store_is_a_corpus_without_its_files(folder: Path, tmp_path: Path) -> None:
    store = tmp_path / "store"
    pieces = prepare(folder, store)
    for file in folder.iterdir():
        file.unlink()
    assert is_store(store) and same(read_folder(store), pieces)
    (table,) = store.glob("*.json")
    table.rename(tmp_path / "elsewhere")
    with pytest.raises(DataError, match="shards are missing"):
        read_folder(store)
    about = json.loads((store / ABOUT).read_bytes())
    (store / ABOUT).write_text(json.dumps(about | {"key": "old"}))
    with pytest.raises(DataError, match="another version of the encoder"):
        read_folder(store)
    (store / ABOUT).write_text("{")
    with pytest.raises(DataError, match="is broken"):
        read_folder(store)


def test_a_folder_without_a_file_that_can_be_used(tmp_path: Path) -> None:
    (tmp_path / "music").mkdir()
    (tmp_path / "music" / "a.mid").write_bytes(b"MThd")
    with pytest.raises(DataError, match="none of its 1 MIDI files"):
        prepare(tmp_path / "music", tmp_path / "store")


def test_pieces_of_several_stores_are_one(folder: Path, tmp_path: Path) -> None:
    mapped, memory = prepare(folder, tmp_path / "store"), pieces_of([work(40), work(41)])
    both = join_all([mapped.select([2, 4]), memory, mapped.select([0])])
    assert both.names == ["2.mid", "4.mid", "0.mid", "1.mid", "0.mid"]
    expected = [mapped[2], mapped[4], memory[0], memory[1], mapped[0]]
    assert all(np.array_equal(a, b) for a, b in zip(both, expected, strict=True))
    assert both.total == sum(len(piece) for piece in expected)
    assert np.array_equal(both.fingerprint(3), memory.fingerprint(1))
