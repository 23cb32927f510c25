"""Real-time priority and locked memory for the music thread.

Neither needs root if the limits allow it (systemd: LimitRTPRIO, LimitMEMLOCK; a desktop: the group
audio in /etc/security/limits.d). If they do not, Segue plays with normal priority.
"""

import contextlib
import ctypes
import os
import sys
from collections.abc import Iterator, Set
from pathlib import Path

CURRENT, FUTURE, ONFAULT = 1, 2, 4  # mlockall(2); ONFAULT: Linux 4.4
FIRST = "900"  # of 1000: how readily Linux ends a process that learns when memory runs out
NEED_LIMIT = "the limit of real-time priority (LimitRTPRIO, 'ulimit -r') is"


def real_time(priority: int) -> str:
    """Give the calling thread, and those that it will start, SCHED_FIFO with `priority` 1..99.

    0: normal scheduling in place of a real-time one. Returns the reason of a failure, or "".
    """
    if not hasattr(os, "sched_setscheduler"):
        return "real-time scheduling is not supported on this system" if priority else ""
    policy = os.SCHED_FIFO if priority else os.SCHED_OTHER
    try:
        if priority or os.sched_getscheduler(0) in (os.SCHED_FIFO, os.SCHED_RR):
            os.sched_setscheduler(0, policy, os.sched_param(priority))
    except PermissionError:
        import resource

        limit = resource.getrlimit(resource.RLIMIT_RTPRIO)[0]
        return f"{NEED_LIMIT} {limit}, service.priority is {priority}"
    except OSError as error:
        return str(error.strerror)
    return ""


def background() -> None:
    """Give the calling thread or process the lowest real-time priority, below the music.

    With normal priority it could hold the interpreter lock while other programs run.
    """
    if hasattr(os, "sched_setscheduler"):
        with contextlib.suppress(OSError):
            if os.sched_getscheduler(0) == os.SCHED_FIFO:
                os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))


@contextlib.contextmanager
def set_aside() -> Iterator[None]:
    """Run the body with normal priority: for slow work while nothing plays, and to start processes,
    which inherit the priority."""
    if not hasattr(os, "sched_getscheduler") or os.sched_getscheduler(0) != os.SCHED_FIFO:
        yield
        return
    own = os.sched_getparam(0)
    os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
    try:
        yield
    finally:
        os.sched_setscheduler(0, os.SCHED_FIFO, own)


def threads() -> set[int]:
    """The kernel's ids of this process's threads; empty where they cannot be listed."""
    try:
        return {int(name) for name in os.listdir("/proc/self/task")}
    except OSError:
        return set()


def hand_on(threads: Set[int]) -> None:
    """Give these threads the calling thread's policy and priority.

    Threads that already have a real-time priority keep it.
    """
    if not hasattr(os, "sched_getscheduler") or os.sched_getscheduler(0) != os.SCHED_FIFO:
        return
    own = os.sched_getparam(0)
    for thread in threads:
        with contextlib.suppress(ProcessLookupError):  # the thread has ended
            if os.sched_getscheduler(thread) == os.SCHED_OTHER:
                os.sched_setscheduler(thread, os.SCHED_FIFO, own)


def ordinary() -> None:
    """Give the calling process normal priority, in place of one inherited from the music thread."""
    real_time(0)


def idle() -> None:
    """Let the calling process, and those that it will start, run when no other wants to.

    Where memory runs out it is the first to be ended.
    """
    if hasattr(os, "SCHED_IDLE"):
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    elif hasattr(os, "nice"):
        os.nice(19)
    if sys.platform == "linux":
        with contextlib.suppress(OSError):  # no /proc: then nothing is preferred
            Path("/proc/self/oom_score_adj").write_text(FIRST)


def lock_memory() -> str:
    """Lock every page that is or will be used. Returns the reason of a failure, or "".

    Only used pages are locked (MLOCK_ONFAULT), so no more memory is taken. With a limit on locked
    memory nothing is locked, because allocations would fail at the limit.
    """
    if sys.platform != "linux":
        return "this operating system is not Linux"
    import resource

    limit = resource.getrlimit(resource.RLIMIT_MEMLOCK)[0]
    if limit != resource.RLIM_INFINITY and os.geteuid() != 0:
        return f"the limit of locked memory (LimitMEMLOCK, 'ulimit -l') is {limit} bytes"
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mlockall(CURRENT | FUTURE | ONFAULT):
        return os.strerror(ctypes.get_errno())
    return ""


def unlock_memory() -> str:
    """Undo `lock_memory`. Returns the reason why nothing is locked."""
    if sys.platform == "linux":
        ctypes.CDLL(None).munlockall()
    return "not requested"


def schedule(priority: int, locks: bool) -> tuple[str, str]:
    """Request real-time priority, 0 for none, and, if `locks`, locked memory.

    Returns what was granted, as text, and the reason if the priority was refused.
    """
    refused = real_time(priority)
    unlocked = lock_memory() if locks else unlock_memory()
    given = 0 if refused else priority
    granted = f"real-time priority {given}" if given else "normal priority"
    granted += ", memory not locked" if unlocked else ", memory locked"
    return granted + "".join(f"; {why}" for why in (refused, unlocked) if why), refused
