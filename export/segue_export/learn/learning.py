"""The steps from takes to the user's own model.

Each step saves what the same command needs to continue after an interruption: checkpoints, the
best weights, the verdict. A model is stored completely or not at all.
"""

import errno
import os
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from pathlib import Path

import torch
from segued import __version__
from segued.errors import UsageError
from segued.model.loading import SHIPPED_FOR_GPU, SHIPPED_MODEL, model_path
from segued.model.session import Model
from segued.recording.recorder import checksum
from segued.service.learning import DONE, JUDGED, Progress
from segued.settings.config import Config

from ..checkpoint import read_best
from ..corpus.pieces import Pieces
from ..onnx_export.reader import PretrainedModel, read_model
from ..report import progress
from .judging import Judgement, judge
from .reading import Piece, Wanted, every, read_takes, table
from .sides import JUDGE, TRAIN, VALID, divided, told
from .storing import keep, made
from .training import Blend, Lesson, blended, choose, config_of, may_compile, train
from .workplace import SIDES, read_json, write_json

MIN_FREE = 200_000_000  # bytes of free disk that a run needs
RESERVE = 0.25  # share of the time for everything except training
POLL_EVERY = 1.0  # seconds between checks whether somebody still plays


@dataclass
class Learning:
    """One run of `segued learn`.

    `folder`: for its files. `minutes`: the longest duration. `playing` returns whether somebody
    plays with Segue on this machine; learning waits until nobody does.
    """

    config: Config
    folder: Path
    minutes: float
    threads: int
    progress: Progress
    playing: Callable[[], bool]

    def run(self, folders: Sequence[Path], wanted: Wanted = every) -> int:
        """Do all steps and return the exit status. Raises SegueError and OSError."""
        self._await_silence()
        self.progress.tell("reading takes")
        takes = read_takes(
            folders, wanted, partial(progress, desc="reading", unit="take", leave=False)
        )
        known = read_json(self.folder / SIDES)
        pieces, music, sides = divided(takes, known)
        print(table(takes), told(music, sides), sep="\n", flush=True)
        contents = [piece.content for piece in pieces]
        write_json(self.folder / SIDES, known | dict(zip(contents, sides, strict=True)))
        parts = [music.select([i for i, s in enumerate(sides) if s == side])
                 for side in (TRAIN, VALID, JUDGE)]  # fmt: skip
        digest = self._digest(pieces, sides)
        last = read_json(self.folder / JUDGED)
        if last.get("digest") == digest:
            return self._end(f"nothing new to learn from since {last['name']}: {last['line']}")
        if shutil.disk_usage(self.folder).free < MIN_FREE:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.folder))
        torch.set_num_threads(self.threads)
        if not may_compile():
            torch.backends.mkldnn.set_flags(False)  # its kernels would fail
        return self._learn(parts, digest)

    def _digest(self, pieces: Sequence[Piece], sides: Sequence[str]) -> str:
        """A digest of everything that determines the result."""
        rows = sorted(f"{p.content} {side}" for p, side in zip(pieces, sides, strict=True))
        about = [__version__, checksum(SHIPPED_FOR_GPU), f"{self.minutes:g}", *rows]
        return sha256("\n".join(about).encode()).hexdigest()[:16]

    def _learn(self, parts: Sequence[Pieces], digest: str) -> int:
        """Train, or continue an interrupted run, then choose and judge."""
        origin, old = read_model(SHIPPED_FOR_GPU), Model.load(SHIPPED_FOR_GPU)
        self.progress.tell("listening to the model")
        lesson = Lesson.of(parts[0], parts[1], old)
        out = self.folder / f"run-{digest}"
        for other in self.folder.glob("run-*"):
            if other != out:
                shutil.rmtree(other)
        config = config_of(
            lesson.train.total, lesson.valid.total, self.minutes * (1 - RESERVE), seed=1
        )
        about: dict[str, object] = {
            "data": ["takes"], "pieces": len(lesson.train), "tokens": lesson.train.total,
            "from": origin.about,
        }  # fmt: skip
        status = train(out, lesson, origin, config, about, self._waits)
        if status:
            return status
        self._await_silence()
        self.progress.tell("choosing")
        best, story = read_best(out)
        blend = choose(lesson, origin.weights, best, origin.network)[0]
        if not blend.share:
            line = "nothing that was learned helps with the pieces that choose: the model stays"
            return self._settle(out, digest, "-", line)
        weights = blended(origin.weights, best, blend.share)
        return self._judge(out, digest, parts[2], lesson, origin, weights, blend, story)

    def _judge(
        self, out: Path, digest: str, pieces: Pieces, lesson: Lesson, origin: PretrainedModel,
        weights: dict[str, torch.Tensor], blend: Blend, story: dict[str, str],
    ) -> int:  # fmt: skip
        """Compare the new model once with the present one; keep it if it is better."""
        name = time.strftime("%Y%m%d-%H%M%S")
        with made(out, name, weights, origin, story, blend) as candidate:
            self.progress.tell("judging")
            while True:
                present = model_path(self.config)
                if Model.load(present).notes is not None:
                    raise UsageError(f"{present} plays chords only: set model.path to default")
                judgement = judge(
                    name, candidate.file(), present, SHIPPED_MODEL, pieces, lesson, self.config
                )
                if (
                    model_path(self.config) == present
                ):  # the user has not chosen another one meanwhile
                    break
            print(judgement.text(), flush=True)
            if not judgement.better:
                return self._settle(out, digest, name, judgement.refusal, judgement)
            line = keep(candidate, judgement, self.config)
        return self._settle(out, digest, name, line, judgement)

    def _settle(
        self, out: Path, digest: str, name: str, line: str, judgement: Judgement | None = None
    ) -> int:
        """Save the result and delete the run."""
        figures = judgement.figures() if judgement else {}
        write_json(
            self.folder / JUDGED, {"digest": digest, "name": name, "line": line, "figures": figures}
        )
        shutil.rmtree(out)
        return self._end(line, judgement.in_plain_words() if judgement else "")

    def _end(self, line: str, verdict: str = "") -> int:
        print(line, flush=True)
        self.progress.tell(DONE, 1.0, line, verdict)
        return 0

    def _waits(self, share: float) -> bool:
        """Whether training must wait. Called before each update."""
        waits = self.playing()
        self.progress.tell("waiting for silence" if waits else "learning", share)
        return waits

    def _await_silence(self) -> None:
        while self.playing():
            self.progress.tell("waiting for silence")
            time.sleep(POLL_EVERY)
