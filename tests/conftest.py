"""How Hypothesis runs, which tests need torch, and which share a process with `pytest -n`.

Hypothesis takes the same examples every time where a machine decides, new ones at home;
`pytest --hypothesis-profile long` looks a long time, `quick` is what `make quick` takes.
"""

import os
import re
import tempfile
from collections import Counter
from functools import cache
from pathlib import Path

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # for tests that import onnxruntime themselves

os.environ.setdefault("OMP_NUM_THREADS", "1")  # torch's and numpy's, one for each process

os.environ["XDG_DATA_HOME"] = os.path.join(tempfile.gettempdir(), "segue-tests-have-no-models")

import pytest
from hypothesis import HealthCheck, settings
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

ROOT = Path(__file__).parents[1]

slow = [HealthCheck.too_slow, HealthCheck.data_too_large]
settings.register_profile("home", deadline=None, max_examples=60, suppress_health_check=slow)
settings.register_profile("ci", settings.get_profile("home"), derandomize=True)
settings.register_profile("quick", settings.get_profile("home"), max_examples=12)
settings.register_profile("long", settings.get_profile("home"), max_examples=4000)
settings.load_profile("ci" if os.environ.get("CI") else "home")

TORCH = re.compile(r"^\s*(import|from) (torch|\S*\btiny|\S*\btrainers)\b", re.MULTILINE)
LIVE = re.compile(r"\bmark\.live\b")
JACK = re.compile(r"\bjack_server\(")


@cache
def contains(file: Path, what: re.Pattern[str]) -> bool:
    return what.search(file.read_text(encoding="utf-8")) is not None


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """With `-m live`, files without such tests are not even imported: most of them need torch."""
    if config.option.markexpr != "live" or not collection_path.match("test_*.py"):
        return None
    return None if contains(collection_path, LIVE) else True


class OneJack(LoadScopeScheduling):
    """Who runs what with `pytest -n`: one process all tests of a file, or all that need JACK.

    Clients of one name on two JACK servers get in each other's way. What takes long begins first,
    by the order of tests.
    """

    def _split_scope(self, nodeid: str) -> str:
        return "jack" if needs_jack(nodeid) else nodeid.partition("::")[0]


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> OneJack:
    config.option.loadscopereorder = False
    return OneJack(config, log)


def needs_jack(nodeid: str) -> bool:
    """Whether a test starts a JACK server, as all do of a file that knows how, but those by tcp."""
    file, _, test = nodeid.partition("::")
    return contains(ROOT / file, JACK) and not re.search(r"\[(.*-)?tcp\b", test)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what needs torch, before pytest's own `-m` looks at the marks.

    Tests that need JACK come first, then those of files with many slow tests.
    """
    slow_ones: Counter[Path] = Counter()
    for item in items:
        if contains(item.path, TORCH):  # itself or by tests/support/tiny.py
            item.add_marker(pytest.mark.torch)
        slow_ones[item.path] += item.get_closest_marker("slow") is not None
    items.sort(key=lambda item: (not needs_jack(item.nodeid), -slow_ones[item.path]))
