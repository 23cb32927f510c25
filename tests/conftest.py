"""How Hypothesis runs: the same examples every time where a machine decides, new ones at home.

`pytest --hypothesis-profile long` looks a long time.
"""

import os

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # for tests that import onnxruntime themselves

from hypothesis import HealthCheck, settings

slow = [HealthCheck.too_slow, HealthCheck.data_too_large]
settings.register_profile("home", deadline=None, max_examples=60, suppress_health_check=slow)
settings.register_profile("ci", settings.get_profile("home"), derandomize=True)
settings.register_profile("long", settings.get_profile("home"), max_examples=4000)
settings.load_profile("ci" if os.environ.get("CI") else "home")
