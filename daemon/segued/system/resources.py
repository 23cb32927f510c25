"""Data files: inside the package in a wheel, at the top in a checkout (see setup.py)."""

from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]


def resource(name: str) -> Path:
    """The path of config.yaml, or of the folder `systemd` or `docs`."""
    inside = PACKAGE / name
    return inside if inside.exists() else PACKAGE.parents[1] / name
