"""A worker as its owner sees it: started, asked, watched, ended."""

from __future__ import annotations

import json
import os
import re
import select
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Callable, Iterator, Mapping

from runner import family
from runner.limits import Limits
from sym.run import faults

START = 30.0  # seconds for Python to start, and for what our part of it does between handlers
MAX_OUTPUT = 16 * 1024  # bytes of what a handler prints that are kept
MAX_LINE = 4 * 1024 * 1024  # bytes of one answer; larger ones are none of ours
_PIPE = 128 * 1024  # bytes; more than a pipe holds
_TRACE = 1.0  # seconds to wait at most for a hung worker to say where it is
_END = 1.0  # seconds to wait at most for the end of a worker that has hung up

# What a worker gets of our environment. No token or setting of ours is among it.
ENVIRONMENT = re.compile(
    r"PATH|LD_LIBRARY_PATH|LANG|LC_\w+|TZ"
    r"|SSL_CERT_FILE|SSL_CERT_DIR|REQUESTS_CA_BUNDLE|AWS_CA_BUNDLE"
    r"|(?:HTTPS?|ALL|NO)_PROXY|(?:https?|all|no)_proxy"
    # In AWS: who the function is, for reading secrets and invoking functions.
    r"|AWS_REGION|AWS_DEFAULT_REGION|AWS_ENDPOINT_URL\w*"
    r"|AWS_ACCESS_KEY_ID|AWS_SECRET_ACCESS_KEY|AWS_SESSION_TOKEN|AWS_CONTAINER_\w+"
)


class Died(Exception):
    """The worker is gone, or does not speak as it should."""


class TooMany(Exception):
    """The worker has started more processes than it may."""


class TimedOut(Exception):
    """The worker did not answer in time."""


class Process:
    """A worker process.

    Args:
        source: {"name", "text"} of the handlers' file.
        limits: how much it may use.
        environ: the environment to take its own from.
        now: the time that handlers are measured by, in seconds from any moment on.
    """

    def __init__(
        self,
        source: Mapping[str, str],
        limits: Limits,
        environ: Mapping[str, str],
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._now = now
        self._file = source["name"]
        self._limits = limits
        self._source = source
        self._home = tempfile.mkdtemp(prefix="sym-worker-")
        self._buffer = b""
        self._output = _Output()
        self._line, theirs = socket.socketpair()
        self._trace, trace = os.pipe()
        self._printed, printed = os.pipe()
        try:
            self._process = subprocess.Popen(
                # -P: its directory is not where its modules come from.
                [sys.executable, "-P", "-B", "-u", "-m", "runner.worker", str(theirs.fileno()), str(trace),
                 str(limits.memory_mb), str(limits.file_mb), str(limits.open_files)],
                stdin=subprocess.DEVNULL, stdout=printed, stderr=printed,
                pass_fds=(theirs.fileno(), trace), cwd=self._home, start_new_session=True,
                env=_environment(environ, self._home),
            )
        except BaseException:
            self._close_files()
            raise
        finally:
            theirs.close()
            os.close(trace)
            os.close(printed)
        family.add(self.pid)
        for number in (self._trace, self._printed):
            os.set_blocking(number, False)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._line, selectors.EVENT_READ)
        self._selector.register(self._printed, selectors.EVENT_READ)

    @property
    def pid(self) -> int:
        return self._process.pid

    def idle(self) -> bool:
        """Whether it waits for a message: it has nothing to say, and has not ended."""
        return not self._buffer and not select.select([self._line], [], [], 0)[0]

    def load(self, timeout: float) -> dict[str, Any]:
        """Imports the handlers' file within timeout seconds.

        Returns:
            {"handlers": names, "warnings": errors} or {"error": …}, and "output" if it printed anything.
            After an error the process is of no more use.
        """
        self._send({"source": dict(self._source)})
        if self._next(START) != {"started": "import"}:
            raise RuntimeError("a worker did not start as it should")
        try:
            answer = self._next(timeout, self._now)
        except TimedOut:
            answer = {"error": self._too_slow("The import of the file", timeout)}
        except TooMany:
            answer = {"error": self._too_many("The import of the file")}
        except Died:
            answer = {"error": self._died("while it imported the file")}
        self._add_output(answer)
        return answer

    def call(self, message: Mapping[str, Any], seconds: Callable[[], float]) -> Iterator[dict[str, Any]]:
        """Has a message's handlers called.

        Args:
            message: of the protocol.
            seconds: how long the next handler may take.

        Yields:
            {"result": …} of each, or {"error": …} about the message, with "output" if
            anything was printed that belongs to no handler. The last may have
            "last": true: then the process is of no more use.
        """
        self._printed_so_far()  # by threads and children that outlived the last message
        handler, allowed = "", seconds()
        try:
            self._send({"message": message})
            while True:
                answer = self._next(allowed, self._now) if handler else self._next(START)
                if "started" in answer:
                    handler, allowed = answer["started"], seconds()
                elif "result" in answer:
                    self._add_output(answer["result"])
                    if (answer["result"].get("error") or {}).get("code") == "SDK:WORKER_DIED":
                        yield answer | {"last": True}  # out of memory, it ends by itself
                        return
                    yield answer
                    handler = ""
                    self._send({})  # go on, now that we have what it printed
                elif "error" in answer:
                    self._add_output(answer)
                    yield answer
                    return
                else:
                    return
        except TimedOut:
            error = self._too_slow(handler or "The worker", allowed if handler else START)
        except TooMany:
            error = self._too_many(handler or "The worker")
        except Died:
            error = self._died(f"in {handler}" if handler else "between two handlers")
        answer = {"handler": handler, "state": "failed", "error": error} if handler else {"error": error}
        self._add_output(answer)
        yield ({"result": answer} if handler else answer) | {"last": True}

    def close(self) -> None:
        """Ends the process and all that it has started, and deletes its directory."""
        family.end(self.pid)
        try:
            os.killpg(self.pid, signal.SIGKILL)  # elsewhere than on Linux, its group is all that can be found
        except (ProcessLookupError, PermissionError):  # macOS refuses zombies
            pass
        self._process.wait()
        family.forget(self.pid)
        family.end_orphans()
        self._selector.close()
        self._close_files()

    def _close_files(self) -> None:
        self._line.close()
        os.close(self._trace)
        os.close(self._printed)
        shutil.rmtree(self._home, ignore_errors=True)

    def _send(self, message: dict[str, Any]) -> None:
        self._line.settimeout(START)
        try:
            self._line.sendall(json.dumps(message).encode() + b"\n")
        except TimeoutError:
            raise TimedOut from None
        except OSError:
            raise Died from None

    def _next(self, seconds: float, now: Callable[[], float] = time.monotonic) -> dict[str, Any]:
        """The worker's next answer within seconds, whatever it prints in the meantime."""
        deadline = now() + seconds
        counted = time.monotonic()
        while b"\n" not in self._buffer:
            left = deadline - now()
            if left <= 0:
                raise TimedOut
            for key, _ in self._selector.select(min(left, family.COUNT_EVERY)):
                if key.fileobj is self._line:
                    self._receive()
                else:
                    self._drain()
            if time.monotonic() - counted >= family.COUNT_EVERY:
                if family.count(self.pid) > self._limits.processes:
                    raise TooMany
                counted = time.monotonic()
        line, self._buffer = self._buffer.split(b"\n", 1)
        try:
            answer = json.loads(line)
        except ValueError:
            raise Died from None
        if not isinstance(answer, dict):
            raise Died
        return answer

    def _receive(self) -> None:
        try:
            data = self._line.recv(65536)
        except OSError:
            data = b""
        if not data or len(self._buffer) > MAX_LINE:
            raise Died
        self._buffer += data

    def _drain(self) -> None:
        """Takes what is in the pipe, but not for ever, should someone fill it as fast."""
        taken = 0
        while taken < _PIPE:
            try:
                data = os.read(self._printed, 65536)
            except BlockingIOError:
                return
            if not data:  # the other end is closed everywhere
                if self._printed in self._selector.get_map():
                    self._selector.unregister(self._printed)
                return
            taken += len(data)
            self._output.add(data)

    def _printed_so_far(self) -> str:
        """All that was printed since the last time. What the worker printed before it
        answered, hung or died is in the pipe by now, heard of or not."""
        self._drain()
        return self._output.take()

    def _add_output(self, answer: dict[str, Any]) -> None:
        output = self._printed_so_far()
        if output:
            answer["output"] = output

    def _too_slow(self, what: str, allowed: float) -> dict[str, Any]:
        """The error of a time-out, with the line where the worker hangs, if it says so."""
        line = None
        try:
            os.kill(self.pid, signal.SIGUSR1)
            end = time.monotonic() + _TRACE
            trace = ""
            while line is None and select.select([self._trace], [], [], max(end - time.monotonic(), 0))[0]:
                more = os.read(self._trace, 65536).decode(errors="replace")
                if not more:
                    break
                trace += more
                line = self._line_in(trace)
        except (OSError, ValueError):
            pass  # then without
        return faults.of("SDK:TIMEOUT", f"{what} took longer than {allowed:g} s and was ended.",
                         "Do less, or ask for less, in one handler.", self._file if line else "", line)

    def _too_many(self, what: str) -> dict[str, Any]:
        return faults.of("SDK:WORKER_DIED", f"{what} started more than {self._limits.processes} processes, and all were ended.",
                         "Start fewer at a time, and wait for them.")

    def _died(self, when: str) -> dict[str, Any]:
        """The error of a death: of what, and where, if it says so."""
        how = self._how_it_ended()
        trace = ""
        try:
            trace = os.read(self._trace, 65536).decode(errors="replace")
        except BlockingIOError:
            pass
        line = self._line_in(trace)
        return faults.of("SDK:WORKER_DIED", f"The process {how} {when}.",
                         f"It may use {self._limits.memory_mb} MB, and must neither exit nor close files that are not its own.",
                         self._file if line else "", line)

    def _how_it_ended(self) -> str:
        """Whether it has exited or been killed, and by what."""
        for _ in range(int(_END * 100)):
            ended = os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            if ended:
                if ended.si_code == os.CLD_EXITED:
                    return f"ended with exit status {ended.si_status}"
                return f"was killed by {signal.Signals(ended.si_status).name}"
            time.sleep(0.01)  # its files close a moment before it ends
        return "stopped talking to us"

    def _line_in(self, trace: str) -> int | None:
        """The innermost line of the handlers' file in a dump of faulthandler."""
        found = re.search(rf'File "{re.escape(self._file)}", line (\d+) ', trace)
        return int(found[1]) if found else None


class _Output:
    """What a handler prints: the beginning of it, if it is too much."""

    def __init__(self) -> None:
        self._kept = bytearray()
        self._size = 0

    def add(self, data: bytes) -> None:
        self._size += len(data)
        self._kept += data[: max(MAX_OUTPUT - len(self._kept), 0)]

    def take(self) -> str:
        """The text so far, which is then forgotten."""
        text = self._kept.decode(errors="replace")
        if self._size > len(self._kept):
            text += f"\n… {self._size - len(self._kept)} bytes more were cut off"
        self._kept.clear()
        self._size = 0
        return text


def _environment(environ: Mapping[str, str], home: str) -> dict[str, str]:
    return {name: value for name, value in environ.items() if ENVIRONMENT.fullmatch(name)} | {
        "HOME": home,
        "TMPDIR": home,
        "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent.parent), *filter(None, sys.path)]),
        "PYTHONIOENCODING": "utf-8:backslashreplace",
        "PYTHONSAFEPATH": "1",
    }
