"""Segue's player: listens on a MIDI input and carries the music on. Never imports torch."""

import sys

__version__ = "0.3.0"

if sys.version_info < (3, 11):  # noqa: UP036 (no pip stood before a checkout)
    sys.exit(f"segued: needs Python 3.11 or newer, this is {sys.version.split()[0]}")
