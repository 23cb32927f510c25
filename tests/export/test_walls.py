"""The walls of the training side: who may import whom, and where the heavy libraries are."""

import ast
import subprocess
import sys
from functools import cache
from pathlib import Path

import segue_export

ROOT = Path(segue_export.__file__).parent
FILES = sorted(str(path.relative_to(ROOT).with_suffix("")) for path in ROOT.rglob("*.py"))

LAYERS = [
    {"options", "report"},
    {"corpus"},
    {"core"},
    {"onnx_export", "seed"},
    {"judge"},
    {"learn"},
    {"commands", "train_command", "__main__"},
]
"""From the lowest to the highest; a room imports itself and what is lower."""

TORCH = {
    "beat", "checkpoint", "commands", "fine_tune", "learn/learning", "learn/storing",
    "learn/training", "network", "onnx_export/exporter", "onnx_export/reader", "optim",
    "process_group", "seed/recipe", "seed/task", "train", "train_command", "validation",
}  # fmt: skip
OWNERS = {
    "torch": TORCH,
    "onnx": {"onnx_export/exporter", "onnx_export/graph", "onnx_export/reader"},
    "safetensors": {"checkpoint", "onnx_export/exporter"},
    "matplotlib": {"judge/pictures", "report"},
}
"""The only files that import a library, also within functions."""


@cache
def imports(file: str) -> frozenset[str]:
    """Absolute names of all that a file imports, but for types alone."""
    package = ["segue_export", *file.split("/")[:-1]]
    names = set()
    tree = ast.parse((ROOT / f"{file}.py").read_text(encoding="utf-8"))
    for part in tree.body:
        if isinstance(part, ast.If) and ast.unparse(part.test) == "TYPE_CHECKING":
            part.body = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            names |= {base, *(f"{base}.{alias.name}" for alias in node.names)}
    return frozenset(names)


def own(file: str) -> set[str]:
    """Files of the training side that a file imports."""
    paths = {name.replace(".", "/").removeprefix("segue_export/") for name in imports(file)}
    return paths & {*FILES} - {file}


def layer(file: str) -> int:
    room = file.split("/")[0]
    named = [i for i, rooms in enumerate(LAYERS) if room in rooms]
    return named[0] if named else LAYERS.index({"core"})


def test_no_import_runs_back_up() -> None:
    assert {"train", "judge/commands"} <= {*FILES} and "data" in own("train")
    upward = {
        f"{file} -> {other}"
        for file in FILES
        for other in own(file)
        if layer(other) > layer(file)
        or (layer(other) == layer(file) and {file.split("/")[0], other.split("/")[0]} == LAYERS[3])
    }
    assert upward == set()


def test_the_core_is_no_larger_than_a_sitting() -> None:
    core = [file for file in FILES if layer(file) == LAYERS.index({"core"})]
    lines = sum(len((ROOT / f"{file}.py").read_text().splitlines()) for file in core)
    assert "train" in core and len(core) < 20 and lines < 2500


def test_a_library_has_its_owners() -> None:
    for library, owners in OWNERS.items():
        found = {f for f in FILES if any(n.split(".")[0] == library for n in imports(f))}
        assert found == owners, library


def test_the_command_line_loads_no_torch() -> None:
    """What needs none of them works, and fast, where they are not installed."""
    code = "import sys, segue_export.__main__; print(*sys.modules)"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {name.split(".")[0] for name in shown.stdout.split()} & {*OWNERS, "tqdm"}
