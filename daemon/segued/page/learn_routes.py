"""HTTP routes that start, follow and stop learning for the page.

Only a number of minutes, and yes or no, come from the page. Takes are those of the running daemon.
"""

import asyncio
import json
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from ..errors import SegueError
from ..service.state_reader import Reader
from .learner import Learner
from .requests import MINUTES, LearnRequest, learn_request
from .segued_command import asked_by, run, settings_of

NOTHING = "nothing to download"  # what `segued learn --download-size` then prints


class LearnRoutes:
    """`routes` start, follow and stop `segued learn`."""

    def __init__(self, reader: Reader) -> None:
        self._reader, self._learner = reader, Learner()
        self._one = asyncio.Lock()
        self.routes = [
            Route("/learn", self._told),
            Route("/learn", self._started, methods=["POST"]),
            Route("/learn", self._stopped, methods=["DELETE"]),
        ]

    async def _told(self, request: Request) -> Response:
        try:
            return JSONResponse(self._learner.told() | {"minutes": MINUTES})
        except OSError as error:
            return _refused(error)

    async def _started(self, request: Request) -> Response:
        """Take `{"minutes": M, "starred": true, "download": true}`.

        `starred`: learn only from takes with a star. Without `download` the answer may be
        `{"asks": SIZE}`: what has to be downloaded first.
        """
        asked = await asked_by(request, learn_request)
        if self._one.locked():
            return PlainTextResponse("another request to start it is in progress\n", 409)
        async with self._one:
            try:
                return await self._start(asked)
            except (SegueError, OSError) as error:
                return _refused(error)

    async def _start(self, asked: LearnRequest) -> Response:
        self._learner.refuse_a_second()
        if not asked.download:
            done, said = await run(["learn", "--download-size"])
            if not done:
                return PlainTextResponse(f"{said[-1] if said else 'no answer'}\n", 409)
            if said[-1] != NOTHING:
                return JSONResponse({"asks": said[-1]})
        arguments = ["--idle", f"--minutes={asked.minutes}"]
        arguments += ["--starred"] * asked.starred + ["--yes"] * asked.download
        self._learner.start([*arguments, *_takes(self._reader.read().facts)])
        return JSONResponse({"started": asked.minutes})

    async def _stopped(self, request: Request) -> Response:
        try:
            stopped = self._learner.stop()
        except OSError as error:
            return _refused(error)
        if stopped:
            return JSONResponse({"stopped": True})
        return PlainTextResponse("nothing is being learned\n", 404)


def _takes(facts: dict[str, Any]) -> list[str]:
    """The settings of the running daemon, and its folder of takes, which only it may know."""
    folder = facts.get("takes")
    own = [f"--set=record.folder={json.dumps(folder, ensure_ascii=False)}"] if folder else []
    return [*settings_of(facts), *own]


def _refused(error: SegueError | OSError) -> Response:
    line = error.strerror if isinstance(error, OSError) else str(error)
    return PlainTextResponse(f"{line}\n", 500 if isinstance(error, OSError) else 409)
