"""Real-time priority and locked memory, where this machine allows them; else why not."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from segued.system import realtime

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Linux's scheduler and limits")


def said(code: str, limits: str = "") -> str:
    """What a process of its own prints; `limits` are set first, and root's powers given up."""
    script = f"import os, resource\nfrom segued.system import realtime\n{limits}\n{code}"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture
def allowed() -> None:
    if said("print(realtime.real_time(3))"):
        pytest.skip("no real-time priority for this user")


def test_it_is_given_and_what_is_started_beside_it_has_none(allowed: None) -> None:
    code = """
assert realtime.real_time(3) == ""
import subprocess, sys, threading
ask = [sys.executable, "-c", "import os; print(os.sched_getscheduler(0))"]
policies = [os.sched_getscheduler(0), os.sched_getparam(0).sched_priority]
with realtime.set_aside():
    policies.append(int(subprocess.run(ask, capture_output=True).stdout))
policies += [os.sched_getscheduler(0), os.sched_getparam(0).sched_priority]
def beside():
    realtime.background()
    policies.extend([os.sched_getscheduler(0), os.sched_getparam(0).sched_priority])
thread = threading.Thread(target=beside); thread.start(); thread.join()
policies += [os.sched_getparam(0).sched_priority]
realtime.ordinary()
policies.append(os.sched_getscheduler(0))
print(policies)
"""
    fifo, other = os.SCHED_FIFO, os.SCHED_OTHER
    assert said(code) == str([fifo, 3, other, fifo, 3, fifo, 1, 3, other])


def test_threads_that_were_started_aside_are_given_it_afterwards(allowed: None) -> None:
    """But for one that has a real-time priority of its own, and one that has ended."""
    code = """
import threading
assert realtime.real_time(3) == ""
before, end = realtime.threads(), threading.Event()
def own():
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(7))
    ready.wait()
    end.wait()
ready = threading.Barrier(3)
def plain():
    ready.wait()
    end.wait()
with realtime.set_aside():
    started = [threading.Thread(target=t) for t in (plain, own)]
    for thread in started: thread.start()
    ready.wait()
realtime.hand_on(realtime.threads() - before | {2**22 - 1})
print([os.sched_getparam(t.native_id).sched_priority for t in started])
end.set()
"""
    assert said(code) == "[3, 7]"


def test_where_it_is_not_allowed_one_line_says_why() -> None:
    """As any user: root gives its powers up."""
    drop = """
resource.setrlimit(resource.RLIMIT_RTPRIO, (0, 0))
resource.setrlimit(resource.RLIMIT_MEMLOCK, (65536, 65536))
if os.getuid() == 0: os.setresuid(65534, 65534, 65534)
"""
    why = said("print(realtime.real_time(3)); print(realtime.lock_memory())", drop).splitlines()
    assert why[0].endswith("is 0, service.priority is 3") and "LimitRTPRIO" in why[0]
    assert why[1].endswith("is 65536 bytes") and "LimitMEMLOCK" in why[1]
    assert said("print(repr(realtime.real_time(0)))", drop) == "''"


def test_locking_takes_no_memory_that_is_not_used() -> None:
    code = """
why = realtime.lock_memory()
import mmap
untouched = mmap.mmap(-1, 256 << 20)
status = dict(line.split(":", 1) for line in open("/proc/self/status") if ":" in line)
print(why or int(status["VmRSS"].split()[0]) < 100_000)
"""
    assert said(code) == "True" or "limit of locked memory" in said(code)


def test_locked_memory_can_be_given_back() -> None:
    code = """
def locked():
    status = dict(line.split(":", 1) for line in open("/proc/self/status") if ":" in line)
    return int(status["VmLck"].split()[0])
why, most = realtime.lock_memory(), locked()
print(why or (most > 0, realtime.unlock_memory(), locked()))
"""
    assert said(code) == "(True, 'not requested', 0)" or "limit of locked memory" in said(code)


def test_without_a_scheduler_of_that_kind_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("sched_setscheduler", "sched_getscheduler"):
        monkeypatch.delattr(os, name)
    assert "real-time scheduling is not supported" in realtime.real_time(3)
    assert realtime.real_time(0) == ""
    realtime.background()
    with realtime.set_aside():
        pass


def test_what_learns_is_idle_and_the_first_to_go_without_memory() -> None:
    code = "realtime.idle(); print(os.sched_getscheduler(0) == os.SCHED_IDLE)"
    code += "; print(open('/proc/self/oom_score_adj').read())"
    assert said(code).split() == ["True", realtime.FIRST]
