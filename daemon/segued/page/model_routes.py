"""The HTTP route that lists the models for the page: the shipped one and the user's own."""

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from ..model.options import SHIPPED
from ..model.own_models import FOR_CPU, own_models
from ..system.resources import PACKAGE


def listed() -> list[dict[str, Any]]:
    """Name and size in bytes of each model. Raises OSError where the folder cannot be read."""
    files = {SHIPPED: PACKAGE / "models" / FOR_CPU}
    files |= {model.name: model.file() for model in own_models()}
    return [{"name": name, "bytes": file.stat().st_size} for name, file in files.items()]


def _answer(request: Request) -> Response:
    """It is not async, so it runs in a thread: a disk may be slow."""
    try:
        return JSONResponse(listed())
    except OSError as error:
        return PlainTextResponse(f"{error.strerror}\n", 500)


MODELS = Route("/models", _answer)
