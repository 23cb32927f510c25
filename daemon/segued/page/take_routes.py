"""HTTP routes that list, send, star and delete takes for the page."""

from collections.abc import Callable
from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from ..errors import DataError
from ..service.state_reader import Reader
from .takes import NoSuchTake, Starred, Takes

Answer = Callable[[Takes, str], Response]


class TakeRoutes:
    """`routes` list, send, star and delete takes. Their folder is in the state file."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self.routes = [
            Route("/takes", self._of(lambda takes, _: JSONResponse(takes.listed()))),
            Route("/takes/{name}", self._of(_file)),
            Route("/takes/{name}", self._of(_deleted), methods=["DELETE"]),
            Route("/takes/{name}/star", self._of(_starred), methods=["PUT"]),
            Route("/takes/{name}/star", self._of(_unstarred), methods=["DELETE"]),
            Route(
                "/takes/{name}/notes",
                self._of(lambda takes, name: JSONResponse(takes.notes(name))),
            ),
        ]

    def _of(self, answer: Answer) -> Callable[[Request], Response]:
        """A handler of requests. It is not async, so it runs in a thread: a disk may be slow."""

        def answered(request: Request) -> Response:
            folder = self._reader.read().facts.get("takes")
            try:
                return answer(
                    Takes(Path(folder) if folder else None), request.path_params.get("name", "")
                )
            except NoSuchTake:
                return PlainTextResponse("no such take\n", 404)
            except Starred as error:
                return PlainTextResponse(f"{error}\n", 409)
            except DataError as error:
                return PlainTextResponse(f"{error}\n", 422)
            except OSError as error:
                return PlainTextResponse(f"{error.strerror}\n", 500)

        return answered


def _file(takes: Takes, name: str) -> Response:
    return FileResponse(takes.path(name), media_type="audio/midi", filename=name)


def _starred(takes: Takes, name: str) -> Response:
    takes.star(name, True)
    return JSONResponse({"star": True})


def _unstarred(takes: Takes, name: str) -> Response:
    takes.star(name, False)
    return JSONResponse({"star": False})


def _deleted(takes: Takes, name: str) -> Response:
    takes.delete(name)
    return JSONResponse({"deleted": name})
