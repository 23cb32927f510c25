"""Serves the page and the metrics: HTTP and WebSockets, by Starlette and uvicorn.

The metrics port is on the loopback interface. It gives `/status` and `/metrics` alone, without a
token.
"""

import asyncio
import contextlib
import json
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import uvicorn
from starlette.applications import Starlette
from starlette.requests import HTTPConnection, Request
from starlette.responses import (
    FileResponse,
    JSONResponse,
    PlainTextResponse,
    RedirectResponse,
    Response,
)
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect
from uvicorn.protocols.http.h11_impl import H11Protocol

from ..service.state_reader import Reader, Reading
from ..service.status_text import metrics_of, status_of
from .commands import HeldKeys, command_from, table
from .feed import Feed, Page
from .guard import COOKIE, Guard, Rate, cookie_of
from .learn_routes import LearnRoutes
from .model_routes import MODELS
from .port_routes import PortRoutes
from .preset_routes import PresetRoutes
from .take_routes import TakeRoutes

STATIC = Path(__file__).parent / "static"
MAX_PAGES = 16
MAX_CONNECTIONS = 64
LONGEST_MESSAGE = 1024  # bytes from a page
COMMANDS_A_SECOND = 300  # of one page
SILENT = 5.0  # seconds until a connection without a request is closed
STUCK = 10.0  # seconds until a page that reads nothing is closed
TRY_AGAIN = 1013  # WebSocket's close code for "too many"

HEADERS = {
    "content-security-policy": "default-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'; object-src 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-cache",
}


class Impatient(H11Protocol):
    """Closes a connection without a complete request."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.loop.call_later(SILENT, self._hurry, transport)

    def _hurry(self, transport: asyncio.Transport) -> None:
        if self.cycle is None and transport.get_protocol() is self:
            transport.abort()


class Gate:
    """Refuses requests that `Guard` does not allow, with one line."""

    def __init__(self, app: ASGIApp, guard: Guard) -> None:
        self._app, self._guard = app, guard

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        asked = HTTPConnection(scope)
        refusal = self._refusal(asked)
        if refusal is None:
            await self._app(scope, receive, _with_headers(send))
        elif scope["type"] == "websocket":
            await WebSocket(scope, receive, send).close()  # the answer is 403
        else:
            await refusal(scope, receive, _with_headers(send))

    def _refusal(self, asked: HTTPConnection) -> PlainTextResponse | None:
        host, guard = asked.headers.get("host"), self._guard
        if host is not None and not guard.knows_host(host):  # browsers always send one
            return _refused(421, "this is not the machine that the address names")
        if not guard.knows_origin(asked.headers.get("origin"), host or ""):
            return _refused(403, "another site must not ask here")
        token = asked.query_params.get("token") or cookie_of(asked.headers.get("cookie", ""))
        if not guard.knows_token(token):
            return _refused(403, "open the whole address, with its token: `segued status` shows it")
        return None


def _refused(status: int, why: str) -> PlainTextResponse:
    return PlainTextResponse(f"{why}\n", status)


def _with_headers(send: Send) -> Send:
    async def sent(message: Message) -> None:
        if message["type"] == "http.response.start":
            own = [(name.encode(), value.encode()) for name, value in HEADERS.items()]
            message["headers"] = [*message.get("headers", ()), *own]
        await send(message)

    return sent


class Site:
    """The application, with the status from `reader` and the events from `feed`.

    `metrics`: the number of the metrics port; 0: there is none.
    """

    def __init__(self, reader: Reader, feed: Feed, guard: Guard, metrics: int) -> None:
        self._reader, self._feed = reader, feed
        numbers = [Route("/status", self._status), Route("/metrics", self._metrics)]
        routes = [
            Route("/", self._index),
            *numbers,
            *TakeRoutes(reader).routes,
            *PortRoutes(reader).routes,
            *PresetRoutes(reader).routes,
            *LearnRoutes(reader).routes,
            MODELS,
            Mount("/static", StaticFiles(directory=STATIC)),
            WebSocketRoute("/live", self._live),
        ]
        self._page = Gate(Starlette(routes=routes), guard)
        self._numbers = Gate(Starlette(routes=numbers), Guard("127.0.0.1", "", ""))
        self._metrics_port = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        by_metrics = scope["server"][1] == self._metrics_port
        await (self._numbers if by_metrics else self._page)(scope, receive, send)

    async def _index(self, request: Request) -> FileResponse | RedirectResponse:
        token = request.query_params.get("token")
        if token is None:
            return FileResponse(STATIC / "index.html")
        answer = RedirectResponse("/", 303)  # so that the token stays in no address bar
        answer.set_cookie(COOKIE, token, max_age=30 * 86400, httponly=True, samesite="strict")
        return answer

    async def _status(self, request: Request) -> Response:
        return self._answer(lambda reading, now: JSONResponse(status_of(reading, now)))

    async def _metrics(self, request: Request) -> Response:
        kind = "text/plain; version=0.0.4"
        return self._answer(
            lambda reading, now: PlainTextResponse(metrics_of(reading, now), media_type=kind)
        )

    def _answer(self, make: Callable[[Reading, float], Response]) -> Response:
        try:
            return make(self._reader.read(), time.perf_counter())
        except ValueError as error:  # the state file is being written
            return _refused(503, str(error))

    async def _live(self, line: WebSocket) -> None:
        """Serve one page while it is open."""
        await line.accept()
        if len(self._feed.pages) >= MAX_PAGES:
            await line.close(TRY_AGAIN, "too many pages are open")
            return
        page = Page()
        self._feed.join(page)
        telling = asyncio.create_task(self._tell(line, page))
        held = HeldKeys()
        try:
            await self._hear(line, held)
        except WebSocketDisconnect:
            pass
        finally:
            self._feed.leave(page)
            for message in held.releases():
                self._feed.command(["receive", message], owed=True)
            telling.cancel()
            with contextlib.suppress(asyncio.CancelledError, WebSocketDisconnect, RuntimeError):
                await telling

    async def _tell(self, line: WebSocket, page: Page) -> None:
        """Send the frames of a page; close one that reads nothing."""
        await line.send_text(json.dumps({"table": table(), "now": time.perf_counter()}))
        try:
            while True:
                await page.news.wait()
                page.news.clear()
                if page.behind:
                    page.behind = False
                    page.pending.clear()
                    await _sent(line, self._feed.snapshot())
                while page.pending:
                    await _sent(line, page.pending.popleft())
        except TimeoutError:
            await line.close()

    async def _hear(self, line: WebSocket, held: HeldKeys) -> None:
        """Pass commands on. Those that come too fast are dropped, except note-offs."""
        rate = Rate(COMMANDS_A_SECOND)
        while True:
            message = await line.receive()
            if message["type"] == "websocket.disconnect":
                return
            within = rate.allows(time.monotonic())
            try:
                command = command_from(json.loads(message.get("text") or ""))
            except (ValueError, RecursionError) as error:
                if within:
                    await line.send_text(json.dumps({"refused": str(error)[:200]}))
                continue
            if not within and not held.ends(command):
                continue
            if command[0] == "ping":
                await line.send_text(json.dumps({"pong": command[1], "now": time.perf_counter()}))
                continue
            if command[0] == "recall":
                if not self._feed.recall(command[1]) and within:
                    await line.send_text(json.dumps({"refused": "there is no such preset"}))
                continue
            plays = command[0] == "receive"
            if plays:
                held.play(command[1])
            if not self._feed.command(command, owed=plays) and within:
                await line.send_text(json.dumps({"refused": "the music takes no commands now"}))


async def _sent(line: WebSocket, frame: str) -> None:
    await asyncio.wait_for(line.send_text(frame), STUCK)


class Ports(NamedTuple):
    """The listening sockets of the page and of the metrics."""

    page: socket.socket | None
    metrics: socket.socket | None


async def serve(state_file: Path, feed: Feed, ports: Ports, host: str) -> None:
    """Serve until cancelled. `host` is the page's."""
    reader = Reader(state_file)
    token = reader.read().facts.get("page_token", "")
    number = 0 if ports.metrics is None else ports.metrics.getsockname()[1]
    site = Site(reader, feed, Guard(host, socket.gethostname(), token), number)
    server = uvicorn.Server(
        uvicorn.Config(
            site,
            http=Impatient,
            ws="websockets-sansio",
            ws_max_size=LONGEST_MESSAGE,
            ws_per_message_deflate=False,
            limit_concurrency=MAX_CONNECTIONS,
            timeout_keep_alive=5,
            timeout_graceful_shutdown=1,
            access_log=False,
            log_level="error",
            server_header=False,
            lifespan="off",
        )
    )
    sockets = [port for port in ports if port is not None]
    serving = asyncio.create_task(server.serve(sockets=sockets))
    try:
        await asyncio.shield(serving)
    finally:
        server.should_exit = True
        await serving
        reader.close()
