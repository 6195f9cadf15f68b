"""A server on loopback that plays a vendor, services that play ours, and the test
case that puts both around a call of an integration.
"""

import json
import threading
import time
import unittest
import urllib.parse
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from unittest import mock
from uuid import NAMESPACE_URL, uuid5

from sym.sdk import runtime
from sym.sdk.exceptions import SDKError, SymException, from_code
from sym.sdk.integration import Integration
from sym.sdk.integrations import _http, _lookup
from sym.sdk.secret import Secret
from sym.sdk.user import User, UserIdentity

MINUTES = 600.0  # seconds; no test waits for it
NOON = 1_772_452_800.0  # 2026-03-02 12:00:00 UTC


@dataclass
class Asked:
    """A request that the server got."""

    method: str
    path: str
    query: dict[str, list[str]]
    headers: Message
    body: bytes
    target: str  # path and query as they came

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def form(self) -> dict[str, str]:
        return dict(urllib.parse.parse_qsl(self.body.decode()))

    def one(self, name: str, default: str = "") -> str:
        return self.query.get(name, [default])[0]


@dataclass
class Reply:
    """What the server answers. A body that is no bytes is sent as JSON."""

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def raw(self) -> bytes:
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


HANG_UP = Reply(status=0)  # the connection is closed without an answer


class Server:
    """Answers by route(asked), once all of first is used up."""

    def __init__(self) -> None:
        self.route: Callable[[Asked], Reply] = lambda asked: Reply(404, {"message": "Not Found"})
        self.first: list[Reply] = []
        self.asked: list[Asked] = []
        self.faults: list[Exception] = []
        server = self

        class Handler(BaseHTTPRequestHandler):
            def _answer(self) -> None:
                url = urllib.parse.urlsplit(self.path)
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                query = urllib.parse.parse_qs(url.query, keep_blank_values=True)
                path = urllib.parse.unquote(url.path)
                asked = Asked(self.command, path, query, self.headers, body, self.path)
                server.asked.append(asked)
                try:
                    reply = server.first.pop(0) if server.first else server.route(asked)
                except Exception as fault:  # an assertion of a test, above all
                    server.faults.append(fault)
                    reply = HANG_UP
                if reply.status == 0:
                    return
                self.send_response(reply.status)
                for name, value in {"Content-Type": "application/json", **reply.headers}.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(reply.raw)))
                with suppress(ConnectionError):  # who asked has left
                    self.end_headers()
                    self.wfile.write(reply.raw)

            do_GET = do_POST = do_PUT = _answer

            def log_message(self, *_: Any) -> None:
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._http.server_port}"
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()


class MovingClock:
    """A clock that moves by sleeping only."""

    def __init__(self) -> None:
        self.time = NOON
        self.slept: list[float] = []

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.time += seconds


class FakeServices:
    """Plays the services of Sym Flows: users by e-mail, secrets, and what ops has."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.secrets: dict[str, str] = {}
        self.ops: dict[str, Callable[..., Any]] = {
            "secret": lambda path, json_key: self.secrets[path],
            "users_by_emails": lambda emails: [wire_user(email) if "@" in email else None for email in emails],
        }

    def offers(self, op: str) -> bool:
        return op in ("secret", "invoke") and op in self.ops

    def ask(self, op: str, **args: Any) -> Any:
        json.dumps(args)  # what is asked has to travel
        self.asked.append((op, args))
        value = self.ops[op](**args)
        return json.loads(json.dumps(value))


def refuse(code: str, message: str = "no", hint: str = "") -> Callable[..., Any]:
    """An op that fails as the real services do."""

    def fail(**_: Any) -> Any:
        raise from_code(code, message, hint)

    return fail


def wire_user(email: str, **more: Any) -> dict[str, Any]:
    """A user as services have it."""
    return {"id": str(uuid5(NAMESPACE_URL, email.lower())), "email": email.lower(), **more}


def user(email: str = "alice@example.com", *identities: tuple[str, str, str]) -> User:
    """A user of ours, with identities (service, service_id, user_id)."""
    return User(id=wire_user(email)["id"], email=email, identities=[UserIdentity(*one) for one in identities])


class IntegrationTest(unittest.TestCase):
    """A test of a module that asks a vendor, which self.server plays.

    Subclasses set service and error, and have a settings method for what its
    integration needs; secrets are settings too, with the value that they have.
    """

    service = ""
    error: type[SymException] = SymException
    external_id = "acme.example.com"
    secrets = {"api_token_secret": "s3cr3t-t0k3n"}

    def settings(self) -> dict[str, Any]:
        return {"api_url": self.server.url}

    def route(self, asked: Asked) -> Reply:
        """What the vendor answers."""
        raise NotImplementedError

    def setUp(self) -> None:
        self.server = Server()
        self.addCleanup(self.close)
        self.server.route = self.route
        self.clock = MovingClock()
        self.services = FakeServices()
        self.services.secrets = {f"/{name}": value for name, value in self.secrets.items()}
        self.integration = Integration(
            type=self.service,
            name=f"main-{self.service}",
            external_id=self.external_id,
            settings=self.settings(),
            secrets={name: Secret(path=f"/{name}") for name in self.secrets},
        )
        self.stack = ExitStack()
        self.addCleanup(self.stack.close)
        self.stack.enter_context(mock.patch.object(_lookup, "clock", self.clock))
        self.stack.enter_context(mock.patch.object(_http, "ANSWER_TIMEOUT", MINUTES))
        self.around(integrations={self.service: self.integration})

    def close(self) -> None:
        self.server.close()
        if self.server.faults:
            raise self.server.faults[0]

    def around(self, **changes: Any) -> None:
        """Puts something else around calls."""
        values = {"services": self.services, "deadline": time.monotonic() + MINUTES, **changes}
        self.stack.enter_context(runtime.use(runtime.Runtime(**values)))

    def fails(self, name: str, call: Callable[[], Any], error: type[SymException] | None = None) -> SymException:
        """The exception that call raises; it has the name and says no secret."""
        with self.assertRaises(error or self.error) as caught:
            call()
        exception = caught.exception
        self.assertEqual(exception.name, name, exception)
        for secret in self.secrets.values():
            self.assertNotIn(secret, f"{exception} {exception.to_dict()} {exception!r}")
        return exception

    def emails(self, users: list[User]) -> list[str]:
        for one in users:
            self.assertIsInstance(one, User)
        return [one.email for one in users]

    def paths(self) -> list[str]:
        return [asked.path for asked in self.server.asked]


class Faults:
    """Tests of what goes wrong between us and a vendor. Mixed into the tests of each
    module, which says by call() what is asked.
    """

    rate_limited = Reply(429, {"message": "Too many requests"}, {"Retry-After": "3"})

    def call(self) -> Any:
        raise NotImplementedError

    def sign_in(self) -> list[Reply]:
        """What the vendor answers before the requests that fail."""
        return []

    def test_token_is_refused(self) -> None:
        self.server.first = [*self.sign_in(), Reply(401, {"message": "Who are you?"})]
        failed = self.fails("UNAUTHORIZED", self.call)
        self.assertIn(f"main-{self.service}", failed.hint)
        self.assertTrue(failed.error_code.endswith(":UNAUTHORIZED"))

    def test_right_is_missing(self) -> None:
        self.server.first = [*self.sign_in(), Reply(403, {"message": "You may not."})]
        failed = self.fails("FORBIDDEN", self.call)
        self.assertIn(f"main-{self.service}", failed.hint)

    def test_waits_as_long_as_the_vendor_says(self) -> None:
        self.server.first = [*self.sign_in(), self.rate_limited]
        self.call()
        self.assertEqual(self.clock.slept, [3.0])

    def test_waits_no_longer_than_the_handler_has(self) -> None:
        self.server.first = [*self.sign_in(), self.rate_limited]

        def remaining() -> float:
            return MINUTES if self.server.first else 2.0  # once it has been told to wait

        with mock.patch.object(runtime, "remaining", remaining):
            self.fails("RATE_LIMITED", self.call)
        self.assertEqual(self.clock.slept, [])

    def test_gives_up_after_some_tries(self) -> None:
        self.server.first = [*self.sign_in(), *[self.rate_limited] * 4]
        self.fails("RATE_LIMITED", self.call)
        self.assertEqual(self.clock.slept, [3.0] * 3)

    def test_server_fails_once(self) -> None:
        for fault in (Reply(500, {"message": "oops"}), Reply(502, b"<html>Bad Gateway</html>"), Reply(503), HANG_UP):
            with self.subTest(fault=fault.status):
                self.server.first = [*self.sign_in(), fault]
                self.call()

    def test_server_stays_broken(self) -> None:
        self.server.first = [*self.sign_in(), *[Reply(500, {"message": "oops"})] * 4]
        self.fails("UNAVAILABLE", self.call)
        self.assertEqual(len(self.clock.slept), 3)

    def test_answer_is_no_json(self) -> None:
        self.server.first = [*self.sign_in(), Reply(200, b"<html>Sign in</html>")]
        self.fails("BAD_ANSWER", self.call)

    def test_answer_has_another_form(self) -> None:
        for body in ("text", None, 3, ["text"], [[]]):
            with self.subTest(body=body):
                self.server.first = [*self.sign_in(), Reply(200, body)]
                self.fails("BAD_ANSWER", self.call)

    def test_environment_has_no_integration(self) -> None:
        self.around(integrations={})
        failed = self.fails("NO_INTEGRATION", self.call, SDKError)
        self.assertIn(f"{self.service}_id", failed.hint)


def pages(items: list[Any], start: int, size: int) -> tuple[list[Any], bool]:
    """One page of items, and whether more follow."""
    return items[start : start + size], start + size < len(items)
