"""What the machine gives the hot thread: its turn before other programs, and its memory kept in.

Neither needs root where the limits allow it (systemd: LimitRTPRIO, LimitMEMLOCK; a desktop: the
group audio in /etc/security/limits.d). Where they do not, it plays with normal priority.
"""

import contextlib
import ctypes
import os
import sys
from collections.abc import Iterator, Set

CURRENT, FUTURE, ONFAULT = 1, 2, 4  # mlockall(2); ONFAULT: Linux 4.4
NEED_LIMIT = "the limit of real-time priority (LimitRTPRIO, 'ulimit -r') is"


def real_time(priority: int) -> str:
    """Give the calling thread, and those that it will start, the policy FIFO with `priority` 1..99.

    0: normal. Returns why not, "" when it is so.
    """
    if not hasattr(os, "sched_setscheduler"):
        return "this operating system has no real-time scheduling that we know" if priority else ""
    policy = os.SCHED_FIFO if priority else os.SCHED_OTHER
    try:
        if priority or os.sched_getscheduler(0) != policy:
            os.sched_setscheduler(0, policy, os.sched_param(priority))
    except PermissionError:
        import resource

        limit = resource.getrlimit(resource.RLIMIT_RTPRIO)[0]
        return f"{NEED_LIMIT} {limit}, service.priority is {priority}"
    except OSError as error:
        return str(error.strerror)
    return ""


def background() -> None:
    """The calling thread or process works beside the music: below it, yet not so far below that it
    could hold the interpreter while other programs have their turn."""
    if hasattr(os, "sched_setscheduler"):
        with contextlib.suppress(OSError):
            if os.sched_getscheduler(0) == os.SCHED_FIFO:
                os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))


@contextlib.contextmanager
def set_aside() -> Iterator[None]:
    """Normal priority for a moment: for what takes long while nothing plays. A process that is
    started inherits it, and must not begin its life before the music."""
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
    """The kernel's numbers of this process's threads; none where it does not tell."""
    try:
        return {int(name) for name in os.listdir("/proc/self/task")}
    except OSError:
        return set()


def hand_on(threads: Set[int]) -> None:
    """Give these threads the calling one's policy and priority, as if it had started them with it.
    One that has a real-time priority of its own keeps that."""
    if not hasattr(os, "sched_getscheduler") or os.sched_getscheduler(0) != os.SCHED_FIFO:
        return
    own = os.sched_getparam(0)
    for thread in threads:
        with contextlib.suppress(ProcessLookupError):  # it has ended
            if os.sched_getscheduler(thread) == os.SCHED_OTHER:
                os.sched_setscheduler(thread, os.SCHED_FIFO, own)


def ordinary() -> None:
    """The calling process is one like any other: what it inherited of a hot thread is given up."""
    real_time(0)


def lock_memory() -> str:
    """Keep in memory every page that is or will be touched. Returns why not, "" when it is so.

    Only pages that are used count (MLOCK_ONFAULT), so the memory that it takes stays the same. With
    a limit it is not tried: once the limit is reached any allocation would fail.
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
    """Take back what `lock_memory` did, if it did. Returns why nothing is locked."""
    if sys.platform == "linux":
        ctypes.CDLL(None).munlockall()
    return "not asked for"
