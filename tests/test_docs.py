"""The documents: links lead somewhere, commands, settings and files exist, examples run."""

import re
import shutil
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from functools import cache
from io import StringIO
from pathlib import Path

import pytest
import segue_export.__main__
import segued
import segued.cli
import yaml
from segued.midi.files import read_messages
from segued.settings.config import SECTIONS, Config, change
from segued.settings.yaml_file import load_text

from .test_walls import CORE, FLOORS

ROOT = Path(__file__).parents[1]
DAEMON = ROOT / "daemon" / "segued"
CHANGELOG = ROOT / "CHANGELOG.md"  # tells of names that are no more
PAGES = [
    ROOT / "README.md", CHANGELOG, *sorted((ROOT / "docs").glob("*.md")),
    DAEMON / "models" / "README.md", ROOT / "export" / "trunk" / "README.md",
]  # fmt: skip
MAINS = {"segued": segued.cli.main, "segue-export": segue_export.__main__.main}

LINK = re.compile(r"\]\((?!https?://)([^)#]*)(?:#([^)]*))?\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
SPAN = re.compile(r"`([^`\n]+)`")
COMMAND = re.compile(r"(?<![\w/@.-])(segued|segue-export) (?!import )([a-z][a-z-]*)([^#|&\n`]*)")
OPTION = re.compile(r"(?<=\s)--[a-z][a-z-]*")
SETTING = re.compile(
    rf"(?<![\w./])({'|'.join(SECTIONS)})\.([a-z_]+)(?!\.?\w)(?:(?:=|: )(?!N$)([\w.-]+)$)?"
)
FILES = ("md", "mid", "onnx", "py", "yaml")  # `control.md` is no setting


def names(pages: list[Path]) -> list[str]:
    return [str(page.relative_to(ROOT)) for page in pages]


@cache
def text(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def code(page: Path) -> Iterator[str]:
    """Every piece of code on a page: lines of blocks, continued ones as one, and spans."""
    for _, block in BLOCK.findall(text(page)):
        yield from block.replace("\\\n", " ").splitlines()
    yield from SPAN.findall(BLOCK.sub("", text(page)))


def anchors(page: Path) -> set[str]:
    """The anchors that GitHub gives to a page's headings."""
    headings = HEADING.findall(BLOCK.sub("", text(page)))
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in headings}


@pytest.mark.parametrize("page", PAGES, ids=names(PAGES))
def test_links_and_pictures_lead_somewhere(page: Path) -> None:
    for path, anchor in LINK.findall(text(page)):
        target = page.parent / path if path else page
        assert target.exists(), path
        if anchor:
            assert anchor in anchors(target), f"{path}#{anchor}"


@cache
def help_of(program: str, *command: str) -> str:
    """What a command prints when it is asked for help; empty: there is no such command."""
    printed = StringIO()
    with redirect_stdout(printed), redirect_stderr(StringIO()), pytest.raises(SystemExit) as left:
        MAINS[program]([*command, "--help"])
    return printed.getvalue() if left.value.code in (0, None) else ""


@pytest.mark.parametrize("page", PAGES, ids=names(PAGES))
def test_commands_and_their_options_exist(page: Path) -> None:
    for line in code(page):
        for program, command, rest in COMMAND.findall(line):
            preset = ("--preset", "seed") if "--preset seed" in rest else ()
            known = help_of(program, command, *preset)
            assert known, f"{program} {command}"
            for option in OPTION.findall(rest):
                assert option in known, f"{program} {command} {option}"


@pytest.mark.parametrize("page", [p for p in PAGES if p != CHANGELOG])
def test_settings_exist(page: Path) -> None:
    for line in code(page):
        for section, key, value in SETTING.findall(line):
            if key not in FILES:
                name = f"{section}.{key}"
                assert hasattr(getattr(Config(), section), key), name
                if value:
                    change(Config(), page.name, name, yaml.safe_load(value))


@pytest.mark.parametrize("page", PAGES, ids=names(PAGES))
def test_blocks_of_settings_load(page: Path) -> None:
    for language, block in BLOCK.findall(text(page)):
        if language == "yaml":
            load_text(block, page.name)


def test_the_first_screen_says_what_to_type() -> None:
    lines = text(ROOT / "README.md").splitlines()
    assert len(lines) <= 200
    for command in ("make run", "make test"):  # tests/package/debian.sh runs them as they stand
        assert any(line.startswith(f"{command} ") for line in lines[:25])


def test_the_architecture_is_that_of_the_code() -> None:
    page = text(ROOT / "docs" / "architecture.md")
    files = re.findall(rf"`((?:{'|'.join(FLOORS)})/\w+\.py)`", page)
    assert len(files) > 30
    assert [name for name in files if not (DAEMON / name).exists()] == []
    table = page.partition("<!-- rooms -->")[2].partition("<!-- end -->")[0]
    rows = [row.split("|") for row in table.splitlines() if "`" in row]
    rooms = [room for row in rows for room in SPAN.findall(row[1])]
    assert rooms == FLOORS
    assert {room for row in rows if "yes" in row[3] for room in SPAN.findall(row[1])} == CORE


def test_the_embedded_player_plays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = text(ROOT / "docs" / "embedding.md")
    (program,) = [block for language, block in BLOCK.findall(page) if language == "python"]
    shutil.copy(DAEMON / "phrases" / "beethoven-ode.mid", tmp_path / "in.mid")
    monkeypatch.chdir(tmp_path)
    exec(compile(program, "docs/embedding.md", "exec"), {})
    struck = [
        sum(message[0] & 0xF0 == 0x90 and message[2] > 0 for _, message in read_messages(file))
        for file in (Path("in.mid"), Path("out.mid"))
    ]
    assert struck[1] > struck[0] + 4


def test_every_public_name_is_documented() -> None:
    page = text(ROOT / "docs" / "embedding.md")
    assert [name for name in segued.__all__ if not re.search(rf"`{name}\b", page)] == []
    methods = page.partition("## Methods")[2].partition("## ")[0]
    for method in re.findall(r"`(\w+)\(now", methods):
        assert hasattr(segued.Player, method), method
