"""HTTP route that saves the knobs as a preset: it runs `segued save-preset`.

From the page come a name, which is checked, and yes or no.
"""

import asyncio

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from ..service.state_reader import Reader
from .requests import preset_request
from .segued_command import answer, asked_by, settings_of


class PresetRoutes:
    """`routes` save presets."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._one = asyncio.Lock()
        self.routes = [Route("/presets", self._saved, methods=["POST"])]

    async def _saved(self, request: Request) -> Response:
        """Take `{"name": NAME, "replace": true}`. Without `replace` a name must be new."""
        asked = await asked_by(request, preset_request)
        if self._one.locked():
            return PlainTextResponse("another request to save a preset is in progress\n", 429)
        async with self._one:
            command = ["save-preset", *(["--replace"] if asked.replace else [])]
            command += settings_of(self._reader.read().facts)
            return await answer([*command, "--", asked.name])
