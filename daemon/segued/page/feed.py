"""Sends the events of the music, and its state, to all pages.

While no page is open, nothing is read, and the daemon writes no events.
"""

import asyncio
import json
import time
from collections import deque
from pathlib import Path
from typing import Any, Protocol

from ..service.command_sender import ENDING, CommandSender
from ..service.event_ring import (
    KEY,
    KNOB,
    NOTE,
    PEDAL,
    PLANNED,
    REPLANNED,
    SILENCED,
    TEMPO,
    TURN,
    Event,
)
from ..service.state_reader import Reader
from ..service.status_text import status_of
from .health import health

FRAME = 1 / 60  # seconds between reads of the event ring
STATUS_EVERY = 0.5
WATCH_EVERY, WATCH_FOR = 1.0, 3.0
HISTORY = 35.0  # seconds of past notes that a new page gets
OWED_FOR = 5.0  # seconds for which played notes are tried again
MOST_OWED = 2048
MOST_PENDING = 120  # frames that may wait for a page


class Page:
    """The frames for one browser page. A slow page loses frames and gets the whole state again."""

    def __init__(self) -> None:
        self.pending: deque[str] = deque()
        self.behind = True
        self.news = asyncio.Event()

    def push(self, frame: str) -> None:
        """Add a frame."""
        if len(self.pending) >= MOST_PENDING:
            self.pending.clear()
            self.behind = True
        self.pending.append(frame)
        self.news.set()


class Follower(Protocol):
    """Another receiver of events, such as OSC."""

    @property
    def active(self) -> bool:
        """Whether it needs events now."""

    def hear(self, events: list[Event], now: float) -> None:
        """Process events. `now` is on the same clock as their times."""


class Feed:
    """Follows a daemon's state file for any number of pages, and for followers."""

    def __init__(self, state_file: Path) -> None:
        self.commands = CommandSender(state_file.with_suffix(ENDING))
        self._reader = Reader(state_file)
        self._events = self._reader.events()
        self.pages: set[Page] = set()
        self._followers: list[Follower] = []
        self._somebody = asyncio.Event()
        self._history: deque[Event] = deque()
        self._planned: list[Event] = []
        self._standing: dict[tuple[int, int], Event] = {}
        self._owed: deque[tuple[float, list[Any]]] = deque()
        self._told = 0.0  # when pages were last told of health
        self._anew = True

    def join(self, page: Page) -> None:
        """Add a page."""
        self.wake()
        self.pages.add(page)
        page.news.set()

    def follow(self, follower: Follower) -> None:
        """Add a follower, which must call `wake` when it becomes active."""
        self.wake()
        self._followers.append(follower)

    def wake(self) -> None:
        """Prepare for the first receiver."""
        if not self._is_watched():
            self._standing.clear()  # outdated since the last receiver left
            self._history.clear()
            self._planned.clear()
            self._anew = True
        self._somebody.set()

    def restate(self) -> None:
        """Send the whole state to all pages again."""
        self._anew = True

    def _is_watched(self) -> bool:
        return bool(self.pages) or any(follower.active for follower in self._followers)

    def leave(self, page: Page) -> None:
        """Remove a page."""
        self.pages.discard(page)

    def command(self, command: list[Any], owed: bool) -> bool:
        """Send a command to the daemon; return whether it was or will be sent.

        The system queues only ten while the daemon is busy. Commands that are `owed` (played notes)
        are tried again, in order.
        """
        if not self._owed and self.commands.send(*command):
            return True
        if owed and len(self._owed) < MOST_OWED:
            self._owed.append((time.perf_counter() + OWED_FOR, command))
            self._somebody.set()
        return owed

    def recall(self, name: str) -> bool:
        """Set all knobs of a preset of the settings, and ask for its model and its music.

        Returns whether there is such a preset.
        """
        for preset, values in self._reader.read().facts.get("presets", []):
            if preset == name:
                for part, value in values.items():
                    self.command(self._part(preset, part, value), owed=True)
                return True
        return False

    def _part(self, preset: str, name: str, value: Any) -> list[Any]:
        """The command for one part of a preset."""
        if name == "hear":
            return ["hear_preset", preset]
        return ["model", value] if name == "model" else ["set", name, value]

    def _pay(self, now: float) -> None:
        """Send the owed commands."""
        while self._owed:
            until, command = self._owed[0]
            if not self.commands.send(*command) and now < until:
                return
            self._owed.popleft()

    async def run(self) -> None:
        """Run until cancelled."""
        watched = 0.0
        while True:
            if not self._is_watched() and not self._owed:
                self._somebody.clear()
                await self._somebody.wait()
                self._events.read()  # discard the events before the first receiver
            now = time.perf_counter()
            self._pay(now)
            if self._anew or now - watched > WATCH_EVERY:
                self.commands.send("watch", WATCH_FOR)
                if self._anew:
                    self._anew = not self.commands.send("restate")
                watched = now
            if now - self._told > STATUS_EVERY:
                self._told = now
                self._planned = [event for event in self._planned if event.time > now]
                if self.pages:
                    self._tell_health(now)
            self._pass_on(self._events.read(), now)
            await asyncio.sleep(FRAME)

    def snapshot(self) -> str:
        """The whole state, for a page that is new or was too slow; its health follows at once."""
        self._told = 0.0
        events = [*self._history, *self._planned, *self._standing.values()]
        return _frame(events, time.perf_counter(), anew=True)

    def _pass_on(self, events: list[Event], now: float) -> None:
        if not events:
            return
        for event in events:
            self._keep(event)
        while self._history and self._history[0].time < now - HISTORY:
            self._history.popleft()
        frame = _frame(events, now)
        for page in self.pages:
            page.push(frame)
        for follower in self._followers:
            follower.hear(events, now)

    def _keep(self, event: Event) -> None:
        """Store the events that a new page needs."""
        if event.kind in (NOTE, PEDAL, SILENCED):
            self._history.append(event)
        elif event.kind == PLANNED:
            self._planned.append(event)
        elif event.kind == REPLANNED:
            self._planned.clear()
        elif event.kind in (TURN, KEY, TEMPO, KNOB):
            self._standing[event.kind, event.a if event.kind == KNOB else 0] = event

    def _tell_health(self, now: float) -> None:
        try:
            reading = self._reader.read()
        except ValueError:  # it is being written: the next read comes soon
            return
        told = health(status_of(reading, now), reading.rings["lateness"])
        frame = json.dumps({"now": now, "health": told})
        for page in self.pages:
            page.push(frame)

    def close(self) -> None:
        """Close the state file."""
        self._reader.close()
        self.commands.close()


def _frame(events: list[Event], now: float, anew: bool = False) -> str:
    frame: dict[str, Any] = {"now": now, "events": [[*event] for event in events]}
    if anew:
        frame["anew"] = True
    return json.dumps(frame)
