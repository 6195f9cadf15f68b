"""What workers have started: found, counted and ended, whatever sessions and groups
it has made for itself. Linux only; elsewhere nothing is found."""

from __future__ import annotations

import os
import signal
import sys
import time
from typing import Iterator

from runner.limits import set_child_subreaper

COUNT_EVERY = 0.2  # seconds between two counts while a handler runs
_END = 5.0  # seconds after which nothing more is done about what does not end

_keeps_orphans = False
_ours: set[int] = set()  # workers


def keep_orphans() -> None:
    """Has processes that lose their parents fall to this one, for end_orphans. All that
    this process starts from now on must be workers."""
    global _keeps_orphans
    if sys.platform == "linux":
        set_child_subreaper()
        _keeps_orphans = True


def add(worker: int) -> None:
    """Takes note of a worker: it is no orphan."""
    _ours.add(worker)


def count(worker: int) -> int:
    """How many processes a worker has started that have not ended, and how many have
    lost their parents."""
    return sum(_state(pid) != "Z" for pid in (*below(worker), *_orphans()))


def end(worker: int) -> None:
    """Ends a worker and all that it has started. It does not wait for the worker: its
    caller does."""
    deadline = time.monotonic() + _END
    looks = 0
    while looks < 2 and time.monotonic() < deadline:
        found = below(worker)
        looks = 0 if any(_state(pid) != "Z" for pid in found) else looks + 1
        # Stopped, none of them starts another while we look.
        _signal((worker, *found), signal.SIGSTOP)
        _signal(found, signal.SIGKILL)
    _signal([worker], signal.SIGKILL)


def forget(worker: int) -> None:
    """Takes note that a worker is gone."""
    _ours.discard(worker)


def end_orphans() -> None:
    """Ends what has lost its parent, and all that this has started."""
    deadline = time.monotonic() + _END
    while time.monotonic() < deadline:
        found = [pid for orphan in _children(os.getpid()) if orphan not in _ours for pid in (orphan, *below(orphan))]
        if not _keeps_orphans or not found:
            return
        _signal(found, signal.SIGSTOP)
        _signal(found, signal.SIGKILL)
        for pid in found:
            try:
                os.waitpid(pid, 0 if _state(pid) == "Z" else os.WNOHANG)
            except ChildProcessError:
                pass  # its parent takes it, or it has no parent but us in a moment
        time.sleep(0.001)  # they end meanwhile


def below(pid: int) -> list[int]:
    """The processes that descend from one. Those that have ended count until their
    parents take them, as threads of theirs may still have children."""
    found: list[int] = []
    ask = [pid]
    while ask:
        new = [child for child in _children(ask.pop()) if child != pid and child not in found]
        found += new
        ask += new
    return found


def _orphans() -> Iterator[int]:
    if _keeps_orphans:
        for child in _children(os.getpid()):
            if child not in _ours:
                yield from (child, *below(child))


def _signal(pids: tuple[int, ...] | list[int], number: int) -> None:
    for pid in pids:
        try:
            os.kill(pid, number)
        except (ProcessLookupError, PermissionError):
            pass  # it is gone


def _children(pid: int) -> list[int]:
    try:
        tasks = os.listdir(f"/proc/{pid}/task")
    except OSError:
        return []  # it is gone, or this is not Linux
    found: list[int] = []
    for task in tasks:
        try:
            with open(f"/proc/{pid}/task/{task}/children") as file:
                found += map(int, file.read().split())
        except FileNotFoundError:
            if not os.path.exists(f"/proc/self/task/{os.getpid()}/children"):
                return _children_by_parent(pid)  # a kernel without CONFIG_PROC_CHILDREN
        except OSError:
            pass  # the thread is gone
    return found


def _children_by_parent(pid: int) -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdecimal() and _stat(int(name))[1] == pid]


def _state(pid: int) -> str:
    """The letter of a process's state; Z if it has ended, or is gone."""
    return _stat(pid)[0]


def _stat(pid: int) -> tuple[str, int]:
    """A process's state and parent."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            # The name before may have anything in it: "12 (a) b) S 1 …".
            state, parent = file.read().rpartition(b")")[2].split()[:2]
        return state.decode(), int(parent)
    except (OSError, ValueError):
        return "Z", 0
