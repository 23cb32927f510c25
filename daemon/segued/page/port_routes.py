"""HTTP routes that list and choose MIDI ports for the page.

This process opens no MIDI client and writes no settings: it runs `segued ports` and `segued
connect`. A port name is passed on only if it is in the list.
"""

import asyncio
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from ..service.state_file import Reader

VIRTUAL = "virtual"
LONGEST = 2048  # bytes of a request
PATIENCE = 40.0  # seconds for a command: a JACK server may hang, a reload may take long
WAYS = ("input", "output")


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
            return PlainTextResponse("the ports are being looked at already\n", 429)
        async with self._one:
            return JSONResponse(await self._choices())

    async def _chosen(self, request: Request) -> Response:
        """Take `{"input": NAME, "output": NAME}`, or one of them."""
        body = b""
        async for part in request.stream():
            body += part
            if len(body) > LONGEST:
                return PlainTextResponse("that is too long\n", 413)
        try:
            asked = json.loads(body)
        except (ValueError, RecursionError):
            asked = None
        if not isinstance(asked, dict) or not asked or not {*asked} <= {*WAYS}:
            return PlainTextResponse("it takes an input, an output or both\n", 400)
        if self._one.locked():
            return PlainTextResponse("the ports are being looked at already\n", 429)
        async with self._one:
            choices = await self._choices()
            for way, name in asked.items():
                if name not in choices[way]:
                    return PlainTextResponse(f"there is no such {way} now\n", 404)
            facts = self._reader.read().facts
            command = ["connect", *(f"--{way}={name}" for way, name in asked.items())]
            command += ["--set", f"ports.name={json.dumps(facts['name'])}"]
            if Path(facts.get("config", "")).is_file():
                command += ["--config", facts["config"]]
            done, said = await _run(command)
        return PlainTextResponse(said[-1] if said else "", 200 if done else 409)

    async def _choices(self) -> dict[str, Any]:
        """Names of both ways, and which of them is used."""
        facts = self._reader.read().facts
        done, said = await _run(["ports", "--json"])
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


async def _run(command: Sequence[str]) -> tuple[bool, list[str]]:
    """Whether a command of Segue's did what it was to do, and the lines that it said."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "segued", *command),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        said, _ = await asyncio.wait_for(process.communicate(), PATIENCE)
    except TimeoutError:
        process.kill()
        await process.wait()
        return False, [f"segued {command[0]} did not answer within {PATIENCE:g} s"]
    return process.returncode == 0, said.decode(errors="replace").splitlines()
