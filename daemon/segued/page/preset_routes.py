"""HTTP route that saves the knobs as a preset: it runs `segued save-preset`.

From the page come a name, which is checked, and yes or no.
"""

import asyncio

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from ..control.presets import LONGEST_NAME, is_name
from ..service.state_file import Reader
from .segued_command import asked_by, run, settings_of

KEYS = frozenset({"name", "replace"})


class PresetRoutes:
    """`routes` save presets."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._one = asyncio.Lock()
        self.routes = [Route("/presets", self._saved, methods=["POST"])]

    async def _saved(self, request: Request) -> Response:
        """Take `{"name": NAME, "replace": true}`. Without `replace` a name must be new."""
        asked = await asked_by(request, KEYS, "a name, and whether to replace")
        name, replace = asked.get("name"), asked.get("replace", False)
        if not is_name(name) or not isinstance(replace, bool):
            return PlainTextResponse(f"a name has 1 to {LONGEST_NAME} printable characters\n", 400)
        if self._one.locked():
            return PlainTextResponse("another request to save a preset is in progress\n", 429)
        async with self._one:
            command = ["save-preset", *(["--replace"] if replace else [])]
            command += settings_of(self._reader.read().facts)
            done, said = await run([*command, "--", name])
        return PlainTextResponse(said[-1] if said else "", 200 if done else 409)
