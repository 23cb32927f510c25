"""The walls of the house: who may import whom, read from the source."""

import ast
import re
import subprocess
import sys
from collections.abc import Callable, Iterable
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SEGUED = Path("segued/__init__.py")
DAEMON, TRAINING = ROOT / "daemon", ROOT / "export"  # source roots
ROOMS = sorted(path.relative_to(DAEMON) for path in DAEMON.rglob("*.py"))
EXPORT = sorted(path.relative_to(TRAINING) for path in TRAINING.rglob("*.py"))

NOT_AT_PLAY_TIME = {"torch", "segue_export", "onnx", "onnxconverter_common", "matplotlib"}
NOT_AT_PLAY_TIME |= {"safetensors", "tqdm", "pickle", "tests"}

OWNERS = {
    "onnxruntime": {"segued/model/session.py"},
    "rtmidi": {"segued/ports/bindings.py"},
    "supriya_midi": {"segued/ports/bindings.py"},
    "mido": {"segued/midi/files.py", "segued/midi/tracks.py"},
    "segno": {"segued/tools/page.py"},
    "starlette": {
        "segued/page/learn_routes.py",
        "segued/page/model_routes.py",
        "segued/page/port_routes.py",
        "segued/page/preset_routes.py",
        "segued/page/segued_command.py",
        "segued/page/server.py",
        "segued/page/take_routes.py",
    },
    "uvicorn": {"segued/page/server.py"},
    "yaml": {
        "segued/settings/config.py",
        "segued/settings/edit.py",
        "segued/settings/yaml_file.py",
    },
}
"""The only files that know a library."""

FLOORS = [
    "errors", "arrays", "system", "fields", "tokens", "midi", "timing", "control", "recall",
    "model", "generation", "turn_taking", "playback", "player", "ports", "settings", "recording",
    "service", "page", "tools", "cli", "__main__",
]  # fmt: skip
"""The rooms from the ground up: a file knows its own room and those below, never one above."""

CORE = {"control", "fields", "generation", "midi", "playback", "player", "recall", "timing"}
CORE |= {"tokens", "turn_taking", "arrays", "errors"}
BESIDE = {"model/chord_model", "model/chord_rhythm", "model/options", "ports/echo_filter"}
BESIDE |= {
    "ports/options",
    "service/command_check",
    "service/connections",
    "service/diagnosis",
    "service/ledger",
    "service/statistics",
}
BESIDE |= {"settings/config", "page/commands", "page/guard", "page/health", "page/requests"}
BESIDE |= {"page/osc_codec", "page/osc_messages", "service/event_ring"}


def name_of(room: Path) -> str:
    """A file's name below `segued`, without its ending."""
    return str(room.relative_to("segued").with_suffix(""))


def floor_of(room: Path) -> int:
    """Which of FLOORS a file stands on; -1: `segued/__init__.py`, which anybody may know."""
    name = name_of(room).partition("/")[0]
    return -1 if name == "__init__" else FLOORS.index(name)


PURE = [
    room
    for room in ROOMS
    for name in [name_of(room)]
    if (name in BESIDE or name.partition("/")[0] in CORE) and room.name != "__init__.py"
]
"""Files that read no clock, open no port, start no thread and draw no chance of their own."""

IMPURE = {"asyncio", "concurrent", "ctypes", "datetime", "fcntl", "io", "logging"}
IMPURE |= {"multiprocessing", "os", "random", "sched", "secrets", "select", "selectors", "shutil"}
IMPURE |= {"signal", "socket", "subprocess", "sys", "tempfile", "threading", "time", "uuid"}
INPUT_AND_OUTPUT = {"open", "print", "input", "exec", "eval", "__import__"}


@cache
def nodes(room: Path) -> list[ast.AST]:
    """All nodes of a file's syntax tree."""
    root = DAEMON if room.parts[0] == "segued" else TRAINING
    return [*ast.walk(ast.parse((root / room).read_text(encoding="utf-8")))]


@cache
def imports(room: Path) -> frozenset[str]:
    """Absolute names of all modules that a file imports, also within functions."""
    package = ".".join(room.parent.parts)
    names = set()
    for node in nodes(room):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            parents = package.split(".")
            above = ".".join(parents[: len(parents) - node.level + 1]) if node.level else ""
            base = ".".join(part for part in (above, node.module) if part)
            names |= {base, *(f"{base}.{alias.name}" for alias in node.names)}
    return frozenset(names)


def libraries(room: Path) -> set[str]:
    return {name.partition(".")[0] for name in imports(room)}


def rooms_known_to(room: Path) -> set[Path]:
    """Files of this project that a file imports."""
    known = set()
    for name in imports(room):
        path = Path(*name.split("."))
        known |= {path.with_suffix(".py"), path / "__init__.py"} & {*ROOMS, *EXPORT}
    return known - {room}


def offenders(
    rooms: Iterable[Path], wrong: Callable[[Path], Iterable[object]]
) -> dict[str, list[str]]:
    """What is wrong with each file, without those that are right."""
    found = {str(room): sorted(map(str, wrong(room))) for room in rooms}
    return {room: names for room, names in found.items() if names}


def test_the_house_is_read() -> None:
    assert {Path("segued/player/player.py"), Path("segued/midi/files.py")} <= {*ROOMS}
    assert len(ROOMS) > 100 and len(PURE) > 50 and len(EXPORT) > 30
    assert {*PURE} <= {*ROOMS}
    assert "segued.tokens.events" in imports(Path("segued/player/player.py"))
    assert "segued.errors" in imports(Path("segued/midi/files.py"))
    assert "onnxruntime" in imports(Path("segued/model/session.py"))  # within a function
    assert Path("segued/turn_taking/phrase.py") in rooms_known_to(Path("segued/player/player.py"))
    found = offenders(ROOMS, lambda room: libraries(room) & {"rtmidi"})
    assert found == {"segued/ports/bindings.py": ["rtmidi"]}


def test_no_room_of_the_player_knows_the_training_side() -> None:
    assert offenders(ROOMS, lambda room: libraries(room) & NOT_AT_PLAY_TIME) == {}


def test_a_library_has_one_owner() -> None:
    owners = {
        library: {str(room) for room in ROOMS if library in libraries(room)} for library in OWNERS
    }
    assert owners == OWNERS


def test_torch_stays_on_the_training_side() -> None:
    assert any("torch" in libraries(room) for room in EXPORT)


def test_midi_and_tokens_stand_on_their_own() -> None:
    """They need the standard library and mido only, so that anyone can read a file with them."""

    def wrong(room: Path) -> set[str]:
        own = {name for name in imports(room) if name.partition(".")[0] == "segued"}
        allowed = ("segued.midi", "segued.tokens", "segued.errors")
        above = {name for name in own if not name.startswith(allowed)}
        return above | (libraries(room) - sys.stdlib_module_names - {"segued", "mido"})

    rooms = [room for room in ROOMS if room.parent.name in ("midi", "tokens")]
    assert rooms and offenders(rooms, wrong) == {}


def test_no_file_knows_a_room_above_it() -> None:
    """So no two rooms need each other, either."""

    def wrong(room: Path) -> set[Path]:
        return {known for known in rooms_known_to(room) if floor_of(known) > floor_of(room)}

    rooms = [room for room in ROOMS if floor_of(room) >= 0]
    assert offenders(rooms, wrong) == {}


def test_nobody_below_the_settings_knows_all_of_them() -> None:
    below = [room for room in ROOMS if -1 < floor_of(room) < FLOORS.index("settings")]
    assert offenders(below, lambda room: {"segued.settings.config"} & imports(room)) == {}


def test_the_core_is_pure() -> None:
    assert offenders(PURE, lambda room: libraries(room) & IMPURE) == {}


def test_the_core_knows_only_the_core() -> None:
    def wrong(room: Path) -> set[Path]:
        return rooms_known_to(room) - {*PURE, room.parent / "__init__.py", SEGUED}

    assert offenders(PURE, wrong) == {}


def test_the_core_does_no_input_or_output_of_its_own() -> None:
    def wrong(room: Path) -> set[str]:
        return INPUT_AND_OUTPUT & {
            node.func.id
            for node in nodes(room)
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
        }

    assert offenders(PURE, wrong) == {}


def test_no_two_rooms_need_each_other() -> None:
    TopologicalSorter({room: rooms_known_to(room) for room in [*ROOMS, *EXPORT]}).prepare()


def loaded_by(*modules: str) -> set[str]:
    """What a fresh interpreter has loaded after importing these."""
    code = "import sys; " + "; ".join(f"import {module}" for module in modules)
    code += "; print(*sys.modules)"
    command = [sys.executable, "-W", "error", "-c", code]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return {name.partition(".")[0] for name in result.stdout.split()}


def test_playing_loads_nothing_of_the_training_side() -> None:
    modules = [".".join(room.with_suffix("").parts) for room in ROOMS]
    modules = [m.removesuffix(".__init__") for m in modules if not m.endswith("__main__")]
    loaded = loaded_by(*modules)
    assert {"segued", "mido", "numpy"} <= loaded
    assert not loaded & NOT_AT_PLAY_TIME - {"pickle"}  # numpy loads that itself


def test_the_core_loads_no_port_and_no_network() -> None:
    loaded = loaded_by("segued.player.player", "segued.tools.render", "segued.settings.yaml_file")
    assert not loaded & {*OWNERS, "segue_export", "torch", "asyncio"} - {"mido", "yaml"}


def test_the_music_loads_nothing_of_the_page() -> None:
    loaded = loaded_by("segued.cli", "segued.service.daemon")
    assert not loaded & {"starlette", "uvicorn", "websockets", "asyncio", "http"}


def test_the_page_loads_nothing_of_the_music() -> None:
    loaded = loaded_by("segued.page.server")
    assert "uvicorn" in loaded and not loaded & {"numpy", "onnxruntime", "yaml", "rtmidi"}


def test_midi_numbers_are_named_in_one_file() -> None:
    """Kinds of messages and masks such as 0x90 and 0x0F. 0x80 is also the bit of a status byte."""
    number = re.compile(r"\b0x([9A-Fa-f]0|0[Ff])\b")
    own = {Path("segued/midi/messages.py")}

    def wrong(room: Path) -> set[str]:
        root = DAEMON if room.parts[0] == "segued" else TRAINING
        return {m[0] for m in number.finditer((root / room).read_text(encoding="utf-8"))}

    assert offenders({*ROOMS, *EXPORT} - own, wrong) == {}


def test_what_is_ignored_is_not_committed() -> None:
    """A link to a cache, committed, takes the cache's place in every checkout."""
    if not (ROOT / ".git").exists():
        pytest.skip("not a checkout")
    command = ["git", "ls-files", "--cached", "--ignored", "--exclude-standard"]
    assert subprocess.run(command, cwd=ROOT, capture_output=True, text=True).stdout == ""
