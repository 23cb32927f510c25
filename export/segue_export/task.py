"""What a run learns: the protocol `Task`, and the task of Segue's own model.

That learns from streams of performances, and is validated on pieces that are not in them.
"""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Protocol

from .augment import Augmentation, Component
from .config import NetworkConfig, TrainConfig
from .corpus.pieces import Pieces
from .data import Batch, Streams
from .network import Network
from .process_group import ProcessGroup, single_process
from .validation import some_of, validate

HEARD = 0.5  # share of playings in which the beat is heard


class Task(Protocol):
    """What a run learns, how it is validated, and how it is described.

    `unit`: what is predicted. `described`: a part of `run.json`. `digest`: of the validation
    pieces; if `keeps_validation`, a run cannot be resumed after it has changed. `row` makes a row
    of `log.csv`, after `count` more targets.
    """

    unit: str
    described: dict[str, Any]

    @property
    def digest(self) -> str: ...
    @property
    def keeps_validation(self) -> bool: ...
    def new_network(self) -> Network: ...
    def next(self) -> Batch: ...
    def state(self) -> dict[str, Any]: ...
    def restore(self, state: dict[str, Any]) -> None: ...
    def validate(self, network: Network) -> float: ...
    def row(self, row: dict[str, Any], count: int) -> dict[str, Any]: ...


class PerformanceTask:
    """A `Task`: the components of a mixture to learn from, `valid` to validate on.

    `test` are pieces for `fine_tune.judge`; with them a run keeps its validation pieces for life.
    """

    unit = "token"

    def __init__(
        self, network: NetworkConfig, config: TrainConfig, limits: Augmentation,
        components: Sequence[Component], valid: Pieces, test: Pieces | None = None,
        processes: ProcessGroup | None = None,
    ) -> None:  # fmt: skip
        self.processes = processes or single_process()
        self.config, self.test = config, test
        self.valid = some_of(valid, config.valid_piece, config.valid_tokens)
        self.streams = Streams(
            components, config.batch, config.time, limits, config.seed, self.processes.rank,
            self.processes.size, self._beats(network, config),
        )  # fmt: skip
        self.described = {"network": network.to_dict(), "augmentation": asdict(limits)}
        self._network = network

    @staticmethod
    def _beats(network: NetworkConfig, config: TrainConfig) -> float | None:
        """The share of playings whose beat is heard: a network must play without, too, but a layer
        that is trained alone learns nothing then."""
        if not network.beat:
            return None
        return 1.0 if config.only == "beat" else HEARD

    def new_network(self) -> Network:
        """Initialised at random."""
        return Network(self._network)

    @property
    def digest(self) -> str:
        """Of the validation pieces."""
        return self.valid.digest

    @property
    def keeps_validation(self) -> bool:
        """Whether a run can be resumed only with the same validation pieces."""
        return self.test is not None

    def next(self) -> Batch:
        """The next window of each stream of this process."""
        return self.streams.next()

    def state(self) -> dict[str, Any]:
        """The streams of all processes, at the same round."""
        self.streams.sample_until(int(self.processes.max([self.streams.rounds])[0]))
        first, *rest = self.processes.gather(self.streams.state())
        for other in rest:
            first["lanes"] |= other["lanes"]
        return dict(first)

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a `state()`."""
        self.streams.restore(state)

    def validate(self, network: Network) -> float:
        """Nats per token."""
        return validate(network, self.valid, self.config.valid_piece, processes=self.processes).nll

    def row(self, row: dict[str, Any], count: int) -> dict[str, Any]:
        """A row of the log as it is."""
        return row
