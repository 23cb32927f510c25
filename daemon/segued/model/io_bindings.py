"""Model steps through buffers that are bound to a session once, in host or device memory.

The session is passed in; it must have `io_binding` and `run_with_iobinding`. Its inputs and outputs
are those of a model file: see `segued.model.session`.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ..arrays import Floats
from ..timing.beat_grid import UNKNOWN, Beat

Beats = Sequence[Beat] | None
"""The beat after each row's id; None: unknown."""

Rows = Callable[[Sequence[int], Sequence[Floats], Beats], tuple[Floats, list[Floats]]]
"""One id for each of some states (S,): logits (rows, V) and the states after, all fresh."""


class HostStep:
    """Batch 1 in host memory, 6 % faster than `Session.run`."""

    def __init__(
        self, session: Any, state_size: int, vocabulary_size: int, beat: bool = False
    ) -> None:
        self._run = session.run_with_iobinding
        self._tokens, self._state, self._logits, self._after, self._beat, self._binding = _bound(
            session, 1, state_size, vocabulary_size, beat
        )

    def __call__(
        self, ids: Sequence[int], state: Floats, beat: Beat = UNKNOWN
    ) -> tuple[Floats, Floats]:
        """Logits (V,) after the last of `ids` and the state (S,), both fresh."""
        self._beat[0, 0] = beat
        for id in ids:
            self._tokens[0, 0] = id
            self._state[0] = state
            self._run(self._binding)
            state = self._after[0]
        return self._logits[0, 0].copy(), state.copy()


class HostRows:
    """One id for each of `rows` states, in the host's memory."""

    def __init__(
        self, session: Any, rows: int, state_size: int, vocabulary_size: int, beat: bool = False
    ) -> None:
        self._run = session.run_with_iobinding
        self._tokens, self._states, self._logits, self._after, self._beat, self._binding = _bound(
            session, rows, state_size, vocabulary_size, beat
        )

    def __call__(
        self, ids: Sequence[int], states: Sequence[Floats], beats: Beats = None
    ) -> tuple[Floats, list[Floats]]:
        """See `Rows`."""
        self._tokens[:, 0] = ids
        self._beat[:, 0] = UNKNOWN if beats is None else beats
        for row, state in zip(self._states, states, strict=True):
            row[:] = state
        self._run(self._binding)
        return self._logits[:, 0].copy(), list(self._after.copy())


class DeviceRows:
    """One id for each of `rows` states, everything in a device's memory.

    The states are in two buffers that are input and output in turn. So a state that was just
    computed is fed again without leaving the device, and only an older state is copied to it. The
    host gets a copy of 9 kB with the logits: so a state remains a plain value, and the copy costs
    less than managing handles of device memory.

    `value_on_device(shape, dtype)` makes a buffer there, with `update_inplace` and `numpy`.
    """

    def __init__(
        self,
        session: Any,
        rows: int,
        state_size: int,
        vocabulary_size: int,
        value_on_device: Callable[[tuple[int, ...], type], Any],
        beat: bool = False,
    ) -> None:
        self._run = session.run_with_iobinding
        self._beat = value_on_device((rows, 1, len(UNKNOWN)), np.float32) if beat else None
        self._beats: Beats = None  # what lies in it
        if self._beat is not None:
            self._beat.update_inplace(np.zeros((rows, 1, len(UNKNOWN)), np.float32))
        self._tokens = value_on_device((rows, 1), np.int64)
        self._logits = value_on_device((rows, 1, vocabulary_size), np.float32)
        self._states = [value_on_device((rows, state_size), np.float32) for _ in range(2)]
        self._bindings = [session.io_binding() for _ in range(2)]
        for side, binding in enumerate(self._bindings):
            binding.bind_ortvalue_input("tokens", self._tokens)
            binding.bind_ortvalue_input("state", self._states[side])
            if self._beat is not None:
                binding.bind_ortvalue_input("beat", self._beat)
            binding.bind_ortvalue_output("logits", self._logits)
            binding.bind_ortvalue_output("state_out", self._states[1 - side])
        self._side = 0  # the index of the next input buffer
        self._there: list[Floats] = []  # the host's copies of its rows
        self.sent = 0  # how often states had to be copied to the device

    def __call__(
        self, ids: Sequence[int], states: Sequence[Floats], beats: Beats = None
    ) -> tuple[Floats, list[Floats]]:
        """See `Rows`."""
        return self.steps((ids,), states, beats)

    def steps(
        self, steps: Sequence[Sequence[int]], states: Sequence[Floats], beats: Beats = None
    ) -> tuple[Floats, list[Floats]]:
        """Logits (rows, V) after the last of `steps`, each `rows` ids; a state (S,) for each row.

        The arrays are fresh; a state counts as known to the device if it is the very array that
        was returned last.
        """
        there, self._there = self._there, []  # unknown if the step fails
        if len(there) != len(states) or any(a is not b for a, b in zip(there, states, strict=True)):
            self._states[self._side].update_inplace(np.stack(states))
            self.sent += 1
        if self._beat is not None and beats != self._beats:
            heard = [UNKNOWN] * len(states) if beats is None else beats
            self._beat.update_inplace(np.array(heard, np.float32)[:, np.newaxis])
            self._beats = beats
        for ids in steps:
            self._tokens.update_inplace(np.array(ids, np.int64)[:, np.newaxis])
            self._run(self._bindings[self._side])
            self._side = 1 - self._side
        logits: Floats = self._logits.numpy()[:, 0].copy()
        self._there = list(self._states[self._side].numpy().copy())
        return logits, list(self._there)


def _bound(
    session: Any, rows: int, state_size: int, vocabulary_size: int, beat: bool
) -> tuple[Any, ...]:
    """Arrays tokens, state, logits, state after, beat, and the binding that knows their addresses.
    A session without the input `beat` does not see that array."""
    arrays: dict[str, npt.NDArray[Any]] = {
        "tokens": np.zeros((rows, 1), np.int64),
        "state": np.zeros((rows, state_size), np.float32),
        "logits": np.zeros((rows, 1, vocabulary_size), np.float32),
        "state_out": np.zeros((rows, state_size), np.float32),
        "beat": np.zeros((rows, 1, len(UNKNOWN)), np.float32),
    }
    binding = session.io_binding()
    for name, array in arrays.items():
        if name == "beat" and not beat:
            continue
        bind = binding.bind_output if name in ("logits", "state_out") else binding.bind_input
        bind(name, "cpu", 0, array.dtype.type, array.shape, array.ctypes.data)
    return *arrays.values(), binding
