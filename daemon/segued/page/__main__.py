"""`python -m segued.page BOARD FD HOST`: see `segued.page.server`."""

import sys

from .server import main

if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
