"""HTTP routes that list and choose MIDI ports for the page.

This process opens no MIDI client and writes no settings: it runs `segued ports` and `segued
connect`. A port name is passed on only if it is in the list.
"""

import asyncio
import json
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from ..service.state_reader import Reader
from .requests import WAYS, ports_request
from .segued_command import answer, asked_by, run, settings_of

VIRTUAL = "virtual"


class PortRoutes:
    """`routes` list the ports that can be chosen, and choose."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._one = asyncio.Lock()
        self.routes = [
            Route("/ports", self._listed),
            Route("/ports", self._chosen, methods=["POST"]),
        ]

    async def _listed(self, request: Request) -> Response:
        if self._one.locked():
            return PlainTextResponse("another request for the ports is in progress\n", 429)
        async with self._one:
            return JSONResponse(await self._choices())

    async def _chosen(self, request: Request) -> Response:
        """Take `{"input": NAME, "output": NAME}`, or one of them."""
        asked = await asked_by(request, ports_request)
        if self._one.locked():
            return PlainTextResponse("another request for the ports is in progress\n", 429)
        async with self._one:
            choices = await self._choices()
            for way, name in asked.items():
                if name not in choices[way]:
                    return PlainTextResponse(f"no such {way}\n", 404)
            command = ["connect", *(f"--{way}={name}" for way, name in asked.items())]
            return await answer([*command, *settings_of(self._reader.read().facts)])

    async def _choices(self) -> dict[str, Any]:
        """Names of both ways, and which of them is used."""
        facts = self._reader.read().facts
        done, said = await run(["ports", "--json"])
        found = json.loads(said[-1]) if done and said else []
        return choices(facts, found)


def choices(facts: dict[str, Any], found: list[list[str]]) -> dict[str, Any]:
    """The names that can be chosen of those `found`, [backend, way, name] each: of the MIDI system
    that is used, and none of the daemon's own."""
    backend, name = facts.get("backend", ""), facts.get("name", "")
    own = (f"{name} In", f"{name} Out")
    told: dict[str, Any] = {"backend": backend, "using": {}}
    for way in WAYS:
        names = [n for b, w, n in found if b == backend and w == way and not _is_of(n, own)]
        told[way] = [VIRTUAL, *dict.fromkeys(names)]
        told["using"][way] = facts.get(way) if facts.get(way) in names else VIRTUAL
    return told


def _is_of(port: str, names: tuple[str, ...]) -> bool:
    """Whether a port has one of these names, behind that of its client."""
    return port in names or port.endswith(tuple(f":{name}" for name in names))
