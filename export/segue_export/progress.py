"""Progress bars: tqdm's, which is imported when there is something to show.

So that `segue-export --help` and what needs no bar work without the extra `train`.
"""

from typing import Any


def progress(*arguments: Any, **options: Any) -> Any:
    """A bar of tqdm's, with what tqdm takes."""
    from tqdm import tqdm

    return tqdm(*arguments, **options)
