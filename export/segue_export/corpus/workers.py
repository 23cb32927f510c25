"""Encodes the files of one folder to shards, in this process or in several.

A worker encodes some hundreds of files and writes them as one shard, so what a kill, an interrupt
or a full disk can cost is what the workers have in hand.
"""

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

from segued.errors import DataError

from ..report import progress
from .encoding import Exact, encode_file_exactly
from .shards import FileKey, ShardWriter

FILES, BYTES = 512, 32_000_000  # that one shard is made from, at most
FEW = 32  # files for which another process is not worth its start
POLL = 0.2  # seconds between two looks at how far the workers are


def encode_into(store: Path, folder: Path, todo: list[FileKey], key: str, workers: int = 1) -> None:
    """Encode these files of a folder into new shards of a store, with a progress bar.

    An interrupt leaves shards of what is done. DataError when a worker process was killed.
    """
    workers = max(1, min(workers, len(todo) // FEW))
    chunks = list(_chunks(todo, max(FEW, min(FILES, len(todo) // (4 * workers)))))
    bar = progress(
        total=len(todo), desc=f"reading {folder.name}", unit="file", leave=False,
        mininterval=0.1 if sys.stderr.isatty() else 30.0,
    )  # fmt: skip
    with bar:
        if workers == 1:
            for chunk in chunks:
                _encode_shard(folder, store, key, chunk, lambda: False, bar.update)
        else:
            _encode_in_parallel(folder, store, key, chunks, workers, bar)


def _chunks(todo: list[FileKey], most: int) -> Iterator[list[FileKey]]:
    chunk: list[FileKey] = []
    size = 0
    for file in todo:
        chunk.append(file)
        size += file[1]
        if len(chunk) == most or size > BYTES:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk


def _encode_shard(
    folder: Path, store: Path, key: str, files: list[FileKey],
    stop: Callable[[], bool], done: Callable[[], object],
) -> None:  # fmt: skip
    """One shard of some files; if it is stopped, of those that are done by then."""
    writer = ShardWriter(store, key)
    try:
        for file in files:
            if stop():
                break
            if os.access(folder / file[0], os.R_OK):  # or else it is tried again next time
                writer.add(file, _piece(folder / file[0]))
            done()
    finally:
        writer.commit()


def _piece(path: Path) -> Exact | str:
    try:
        return encode_file_exactly(path)
    except Exception as error:  # one strange file among 100,000 must not end the work: it is told
        return f"{path}: cannot be encoded, by a fault of Segue's: {error!r}".replace("\n", " ")


def _encode_in_parallel(
    folder: Path, store: Path, key: str, chunks: list[list[FileKey]], workers: int, bar: Any
) -> None:
    spawn = multiprocessing.get_context("spawn")  # a fork would copy torch's threads' locks
    count, stop = spawn.Value("q", 0), spawn.Event()
    with ProcessPoolExecutor(workers, spawn, _Worker.begin, (count, stop)) as pool:
        waiting: set[Future[None]] = set()
        try:
            waiting = {pool.submit(_Worker.encode, folder, store, key, chunk) for chunk in chunks}
            while waiting:
                done, waiting = wait(waiting, POLL, FIRST_COMPLETED)
                bar.update(count.value - bar.n)
                for future in done:
                    future.result()
        except BrokenProcessPool:
            raise DataError(
                f"{folder}: a process that read MIDI files was killed (out of memory?): run the "
                "command again to continue; fewer --workers need less memory"
            ) from None
        finally:  # of an interrupt, too: what the workers have in hand is written
            stop.set()
            for future in waiting:
                future.cancel()


class _Worker:
    """What a worker process knows: how to count, and whether to stop."""

    count: object
    stop: object

    @classmethod
    def begin(cls, count: object, stop: object) -> None:
        """Called once in each process. An interrupt from the terminal is the parent's to handle."""
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        cls.count, cls.stop = count, stop
        threading.Thread(target=cls._end_with_parent, daemon=True).start()

    @staticmethod
    def _end_with_parent() -> None:
        multiprocessing.parent_process().join()  # type: ignore[union-attr]
        os._exit(1)  # it was killed: nobody will ever give more to do

    @classmethod
    def encode(cls, folder: Path, store: Path, key: str, files: list[FileKey]) -> None:
        _encode_shard(folder, store, key, files, cls.stop.is_set, cls._done)  # type: ignore[attr-defined]

    @classmethod
    def _done(cls) -> None:
        with cls.count.get_lock():  # type: ignore[attr-defined]
            cls.count.value += 1  # type: ignore[attr-defined]
