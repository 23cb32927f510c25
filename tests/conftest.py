"""How Hypothesis runs, and which tests need torch.

Hypothesis takes the same examples every time where a machine decides, new ones at home;
`pytest --hypothesis-profile long` looks a long time.
"""

import os
import re
import tempfile
from functools import cache
from pathlib import Path

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # for tests that import onnxruntime themselves

os.environ["XDG_DATA_HOME"] = os.path.join(tempfile.gettempdir(), "segue-tests-have-no-models")

import pytest
from hypothesis import HealthCheck, settings

slow = [HealthCheck.too_slow, HealthCheck.data_too_large]
settings.register_profile("home", deadline=None, max_examples=60, suppress_health_check=slow)
settings.register_profile("ci", settings.get_profile("home"), derandomize=True)
settings.register_profile("long", settings.get_profile("home"), max_examples=4000)
settings.load_profile("ci" if os.environ.get("CI") else "home")

TORCH = re.compile(r"^\s*(import|from) (torch|\S*\btiny|\S*\btrainers)\b", re.MULTILINE)


@cache
def needs_torch(file: Path) -> bool:
    """Whether a file of tests imports torch, itself or by tests/support/tiny.py."""
    return TORCH.search(file.read_text(encoding="utf-8")) is not None


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what needs torch, before pytest's own `-m` looks at the marks."""
    for item in items:
        if needs_torch(item.path):
            item.add_marker(pytest.mark.torch)
