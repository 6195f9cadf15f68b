"""How much handlers may use, and other things that only the system can promise."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import sys
from dataclasses import dataclass
from typing import Mapping

_MB = 1024 * 1024

# From linux/prctl.h.
_PR_SET_PDEATHSIG = 1
_PR_SET_DUMPABLE = 4
_PR_SET_CHILD_SUBREAPER = 36


@dataclass(frozen=True)
class Limits:
    """How much one worker may use."""

    memory_mb: int = 384
    """Memory of its own. Linux only; elsewhere there is no limit."""

    file_mb: int = 64
    """Size of a file."""

    open_files: int = 256

    processes: int = 32
    """Processes that it may start, at a time. Linux only."""

    workers: int = 4
    """Workers that are kept at a time."""

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> Limits:
        """The limits for a function: SYM_WORKER_MEMORY_MB and SYM_WORKERS; half of
        the function's memory, if the first is not set.

        Raises:
            ValueError: a setting is no number above 0.
        """
        whole = _number(environ, "AWS_LAMBDA_FUNCTION_MEMORY_SIZE", 2 * cls.memory_mb)
        return cls(
            memory_mb=_number(environ, "SYM_WORKER_MEMORY_MB", max(whole // 2, 64)),
            workers=_number(environ, "SYM_WORKERS", cls.workers),
        )


def confine(memory_mb: int, file_mb: int, open_files: int) -> None:
    """Puts limits on this process and those that it starts, and ties its life to
    that of the process that started it."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _lower(resource.RLIMIT_FSIZE, file_mb * _MB)
    _lower(resource.RLIMIT_NOFILE, open_files)
    if sys.platform == "linux":
        _lower(resource.RLIMIT_DATA, memory_mb * _MB)
        parent = os.getppid()
        _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it went before it could be tied
            os._exit(1)
    hide()


def hide() -> None:
    """Keeps other processes of the same user out of this one's environment and memory
    (/proc, ptrace): those of another flow's handlers, for example. Linux only."""
    if sys.platform == "linux":
        _prctl(_PR_SET_DUMPABLE, 0)


def set_child_subreaper() -> None:
    """Has descendants of this process fall to it when they lose their parents. Linux
    only."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def _lower(what: int, limit: int) -> None:
    """Lowers a limit. One that is lower already stays: Lambda's or the host's."""
    hard = resource.getrlimit(what)[1]
    if hard != resource.RLIM_INFINITY:
        limit = min(limit, hard)
    resource.setrlimit(what, (limit, limit))


def _prctl(option: int, value: int) -> None:
    ctypes.CDLL(None).prctl(option, *map(ctypes.c_ulong, (value, 0, 0, 0)))


def _number(environ: Mapping[str, str], name: str, default: int) -> int:
    value = environ.get(name, "")
    if value and (not value.isdecimal() or int(value) < 1):
        raise ValueError(f"{name} is {value!r}: set a whole number, 1 or more")
    return int(value) if value else default
