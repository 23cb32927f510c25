"""Runs commands of `segued` for the page, without a shell, and reads what a page asks of them."""

import asyncio
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

Asked = TypeVar("Asked")

LONGEST = 2048  # bytes of a request
PATIENCE = 40.0  # seconds for a command: a JACK server may hang, a reload may take long


async def asked_by(request: Request, check: Callable[[bytes], Asked]) -> Asked:
    """What a request asks for, by a function of `requests`. Raises HTTPException."""
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > LONGEST:
            raise HTTPException(413, "the request is too long\n")
    try:
        return check(body)
    except ValueError as error:
        raise HTTPException(400, f"{error}\n") from None


def settings_of(facts: dict[str, Any]) -> list[str]:
    """The arguments by which a command finds the daemon, and the settings file, of a state file."""
    arguments = [f"--set=ports.name={json.dumps(facts['name'], ensure_ascii=False)}"]
    if Path(facts.get("config", "")).is_file():
        arguments.append(f"--config={facts['config']}")
    return arguments


async def run(command: Sequence[str]) -> tuple[bool, list[str]]:
    """Run `segued COMMAND...`; whether it succeeded, and the lines that it printed."""
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


async def answer(command: Sequence[str]) -> Response:
    """Run `segued COMMAND...`, and answer with its last line; 409 if it refused."""
    done, said = await run(command)
    return PlainTextResponse(said[-1] if said else "", 200 if done else 409)
