"""Prints the address of the index that `make test` installs torch from; nothing: pip's own.

On Linux x86_64 the torch that pip finds by itself is built for CUDA: 3 GB with all that it needs.
Where there is no NVIDIA GPU that is for nothing, so PyTorch's own index of CPU builds is taken
(200 MB) if it answers soon. Standard library only: it runs before anything is installed.
"""

import contextlib
import os
import platform
import shutil
import sys
import threading
import urllib.request

CPU = "https://download.pytorch.org/whl/cpu"
PATIENCE = 5.0  # seconds


def main() -> None:
    """One line at most, and one on stderr where a large download may follow."""
    if sys.platform != "linux" or platform.machine() != "x86_64" or has_gpu():
        return
    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(PATIENCE)
    if answers:
        print(CPU)
        return
    print(
        f"{CPU} does not answer: torch comes from pip's own index, and may bring 3 GB of CUDA",
        file=sys.stderr,
    )


def has_gpu() -> bool:
    """Whether an NVIDIA driver is there."""
    return os.path.exists("/proc/driver/nvidia/version") or bool(shutil.which("nvidia-smi"))


answers: list[int] = []


def ask() -> None:
    """Keep the index's answer. A thread, since looking a name up knows no time limit."""
    url = f"{CPU}/torch/"
    with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=PATIENCE) as answer:
        answers.append(answer.status)


if __name__ == "__main__":
    main()
