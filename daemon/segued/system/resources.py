"""Files that the wheel holds inside the package, and a checkout at its top (see setup.py)."""

from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]


def resource(name: str) -> Path:
    """config.yaml, or the folder `systemd` or `docs`."""
    inside = PACKAGE / name
    return inside if inside.exists() else PACKAGE.parents[1] / name
