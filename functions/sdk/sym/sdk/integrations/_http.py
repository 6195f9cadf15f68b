"""The one HTTP client of all integrations: time-outs, retries, paging, errors.

A client belongs to one integration. It knows its address and how to sign in, and
turns every failure into the integration's own exception, with the code:

    UNAUTHORIZED   401: who we say we are is not believed
    FORBIDDEN      403: we are known, but may not
    NOT_FOUND      404: what was asked for is not there, or we can't see it
    REJECTED       another refusal, with the vendor's own words
    RATE_LIMITED   too many requests, and no time left to wait
    UNAVAILABLE    the vendor fails, or can't be reached
    TIMEOUT        no answer in time
    BAD_ANSWER     an answer that makes no sense
    BAD_URL        an address that we refuse to send a token to

Tokens travel only to the integration's own address, over TLS (plain HTTP is for
loopback), and never into a message.
"""

import email.utils
import http.client
import ipaddress
import json
import random
import re
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from email.message import Message
from typing import Any, NoReturn

from sym.sdk.exceptions import ServiceException
from sym.sdk.integrations._clock import Clock

ANSWER_TIMEOUT = 10.0  # seconds for one answer, if the handler has that long
TRIES = 4
MAX_ANSWER = 16 << 20  # bytes
MAX_PAGES = 1000  # what no honest list has

_FAILING = {0, 500, 502, 503, 504}  # 0: no answer


@dataclass(frozen=True)
class Answer:
    """What a server answered."""

    status: int
    headers: Message
    body: bytes


@dataclass(frozen=True)
class Request:
    """What is sent. A signer gets it as it is, for each try, and returns its headers."""

    method: str
    url: str
    headers: dict[str, str]
    body: bytes


def words_at(*keys: str) -> Callable[[Answer], str]:
    """Picks the vendor's own words from the JSON of an error: all texts at keys, of
    which each is a path such as "error.message"; a list's texts are joined.
    """

    def words(answer: Answer) -> str:
        found = []
        for key in keys:
            value = json.loads(answer.body)
            for part in key.split("."):
                value = value.get(part) if isinstance(value, dict) else None
            values = value if isinstance(value, list) else value.items() if isinstance(value, dict) else [value]
            for text in values:
                if isinstance(text, tuple):
                    text = f"{text[0]}: {text[1]}"
                if isinstance(text, (str, int)) and text != "":
                    found.append(str(text))
        return ", ".join(found)

    return words


@dataclass
class Client:
    """Talks to one server as one integration.

    Args:
        error: the exception class of the integration.
        base_url: where it is, such as "https://example.okta.com".
        headers: sent with each request, such as Authorization.
        name: the integration's name, for hints.
        secrets: values that must not show up in messages.
        sign: makes the headers of a request just before it is sent, for servers
            that want signatures.
        words: picks the vendor's own words from an error.
        meaning: the status that an answer means, for vendors who say 403 or 400
            where others say 429.
        hints: what to do about a status, in place of the usual text.
        trusted_hosts: hosts that may be asked without TLS, besides loopback.
        remaining: how many seconds the handler has left.
        clock: the time.
    """

    error: type[ServiceException]
    base_url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    name: str = ""
    secrets: tuple[str, ...] = ()
    sign: Callable[[Request], dict[str, str]] | None = None
    words: Callable[[Answer], str] = words_at("message")
    meaning: Callable[[Answer], int] = lambda answer: answer.status
    hints: Mapping[int, str] = field(default_factory=dict)
    trusted_hosts: tuple[str, ...] = ()
    remaining: Callable[[], float] = lambda: ANSWER_TIMEOUT
    clock: Clock = field(default_factory=Clock)

    def __post_init__(self) -> None:
        self.base_url = self.base_url.rstrip("/")
        if not _is_safe(self.base_url, self.trusted_hosts):
            self._fail(
                "BAD_URL",
                f"The address {self.base_url!r} of integration {self.name} can't be used.",
                "Use one that starts with https:// (http:// is for loopback only).",
            )

    def get(self, path: str, params: Mapping[str, Any] | None = None, *, what: str = "") -> dict[str, Any]:
        """The JSON object at path.

        Args:
            path: from the base URL on.
            params: the query. None values are left out; lists repeat the key.
            what: what is looked for, such as "group 00g1", for the error if it is missing.
        """
        return self.object(self.request("GET", path, params, what=what))

    def find(self, path: str, params: Mapping[str, Any] | None = None) -> dict[str, Any] | None:
        """The JSON object at path, or None if nothing is there."""
        answer = self.request("GET", path, params, accept=(404,))
        return None if self.meaning(answer) == 404 else self.object(answer)

    def post(
        self, path: str, body: Any, params: Mapping[str, Any] | None = None, *, repeatable: bool = False, what: str = ""
    ) -> dict[str, Any]:
        """Sends body as JSON and returns the JSON object of the answer.

        Args:
            repeatable: whether it may be sent again when it may have arrived already.
        """
        return self.object(self.send_json("POST", path, body, params, repeatable=repeatable, what=what))

    def send_json(
        self, method: str, path: str, body: Any, params: Mapping[str, Any] | None = None, **options: Any
    ) -> Answer:
        """Sends body as JSON. Options are those of request."""
        headers = {"Content-Type": "application/json"}
        return self.request(method, path, params, json.dumps(body).encode(), headers=headers, **options)

    def object(self, answer: Answer) -> dict[str, Any]:
        """The JSON object in the body of an answer."""
        found = self._json(answer)
        if not isinstance(found, dict):
            self._fail_form("something that is no object")
        return found

    def _json(self, answer: Answer) -> Any:
        try:
            return json.loads(answer.body)
        except ValueError:
            self._fail_form("a body that is no JSON")

    def _fail_form(self, form: str) -> NoReturn:
        self._fail(
            "BAD_ANSWER",
            f"{self.error.service} answered with {form}.",
            f"Check that integration {self.name} has the address of the API: it is {self.base_url}.",
        )

    def request(
        self,
        method: str,
        path: str,
        params: Mapping[str, Any] | None = None,
        body: bytes = b"",
        *,
        headers: Mapping[str, str] | None = None,
        repeatable: bool | None = None,
        accept: tuple[int, ...] = (),
        what: str = "",
        timeout: float | None = None,
    ) -> Answer:
        """Sends a request and returns the answer, if it is a success or its status in accept.

        A failing server is asked again, up to TRIES times in all, when the request
        may be repeated (GET may, unless said otherwise); one that throttles always
        is, for it has not done what was asked. Waits take as long as the server
        says, and none is longer than what the handler has left.

        Args:
            path: from the base URL on, or a whole URL on the same server.
            timeout: seconds to wait for the answer; ANSWER_TIMEOUT if None.
        """
        url = self._url(path, params)
        shown = f"{method} {urllib.parse.urlsplit(url).path}"
        if repeatable is None:
            repeatable = method in ("GET", "HEAD")
        for attempt in range(1, TRIES + 1):
            answer, fault = self._once(method, url, body, headers or {}, timeout or ANSWER_TIMEOUT)
            status = self.meaning(answer) if answer is not None else 0
            if 200 <= status < 300 or status in accept:
                return answer
            if status != 429 and not (repeatable and status in _FAILING):
                break
            wait = self._wait(answer, attempt)
            if attempt == TRIES or wait >= self.remaining():
                break
            self.clock.sleep(wait)
        if answer is None:
            self._fail_unanswered(shown, fault)
        self._fail_status(answer, status, shown, what)

    def pages(
        self,
        path: str,
        params: Mapping[str, Any] | None,
        items: Callable[[Any], Any],
        following: Callable[[Any, Answer, list[Any]], Mapping[str, Any] | str | None],
        *,
        what: str = "",
        ask: Callable[[str, Mapping[str, Any] | None], Answer] | None = None,
    ) -> Iterator[dict[str, Any]]:
        """All items of a list that comes in pages.

        Args:
            path, params: the first page.
            items: the items in the JSON of a page.
            following: from a page (its JSON, the answer, its items) to the next one:
                parameters to change, a URL, or None at the end.
            ask: how to ask for a page, if not by GET.
        """
        for _ in range(MAX_PAGES):
            answer = ask(path, params) if ask else self.request("GET", path, params, what=what)
            page = self._json(answer)
            try:
                found = items(page)
                if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
                    raise TypeError
                then = following(page, answer, found)
            except (AttributeError, KeyError, TypeError, ValueError):
                self._fail_form("something that is no list of objects")
            yield from found
            if then is None:
                return
            if isinstance(then, str):
                path, params = then, None
            else:
                params = {**(params or {}), **then}
        self._fail(
            "BAD_ANSWER",
            f"{self.error.service} has more than {MAX_PAGES} pages at {path}.",
            "Ask for less: filter, or look up what you need by its id.",
        )

    def pages_by_link(
        self, path: str, params: Mapping[str, Any] | None = None, *, what: str = ""
    ) -> Iterator[dict[str, Any]]:
        """All items of a list whose Link header tells the next page (RFC 8288)."""
        return self.pages(path, params, lambda page: page, lambda _, answer, __: next_link(answer.headers), what=what)

    def _url(self, path: str, params: Mapping[str, Any] | None) -> str:
        url = path if "://" in path else self.base_url + path
        if _origin(url) != _origin(self.base_url):
            self._fail(
                "BAD_URL",
                f"{self.error.service} sent us on to another server, {_origin(url)}: the token stays here.",
                f"Set api_url of integration {self.name} if the API has moved.",
            )
        pairs = [(key, value) for key, value in (params or {}).items() if value is not None]
        if not pairs:
            return url
        query = urllib.parse.urlencode(pairs, doseq=True)
        return f"{url}{'&' if '?' in url else '?'}{query}"

    def _once(
        self, method: str, url: str, body: bytes, extra: Mapping[str, str], timeout: float
    ) -> tuple[Answer | None, Exception | None]:
        headers = {"Accept": "application/json", "User-Agent": "sym-flows", **self.headers, **extra}
        if self.sign:
            headers = self.sign(Request(method, url, headers, body))
        request = urllib.request.Request(url, body or None, headers, method=method)
        try:
            timeout = min(timeout, max(self.remaining(), 0.001))
            opener = _opener if url.startswith("https:") else _direct
            with opener.open(request, timeout=timeout) as answer:
                return self._read(answer), None
        except urllib.error.HTTPError as refusal:
            with refusal:
                try:
                    return self._read(refusal), None
                except (OSError, http.client.HTTPException) as fault:
                    return None, fault
        except (OSError, http.client.HTTPException) as fault:
            return None, fault

    def _read(self, answer: Any) -> Answer:
        body = answer.read(MAX_ANSWER + 1)
        if len(body) > MAX_ANSWER:
            self._fail(
                "BAD_ANSWER",
                f"{self.error.service} answered more than {MAX_ANSWER >> 20} MB.",
                "Ask for less: filter, or look up what you need by its id.",
            )
        return Answer(answer.status, answer.headers, body)

    def _wait(self, answer: Answer | None, attempt: int) -> float:
        told = _told_to_wait(answer.headers, self.clock.now()) if answer is not None else None
        if told is not None:
            return told
        return 0.2 * 2 ** (attempt - 1) * random.uniform(1, 1.5)

    def _fail_unanswered(self, shown: str, fault: Exception | None) -> NoReturn:
        reason = getattr(fault, "reason", fault)
        if isinstance(reason, TimeoutError):
            self._fail(
                "TIMEOUT",
                f"{self.error.service} did not answer {shown} in time.",
                "Try again later, or give the handler more time.",
            )
        self._fail(
            "UNAVAILABLE",
            f"{self.error.service} can't be reached for {shown}: {reason or type(fault).__name__}.",
            f"Check the address of integration {self.name}, {self.base_url}, and that it can be reached from here.",
        )

    def _fail_status(self, answer: Answer, status: int, shown: str, what: str) -> NoReturn:
        try:
            words = self.words(answer)
        except ValueError:
            words = ""  # an error page of something in between
        vendor = self.error.service
        message = f"{vendor} answered {answer.status} to {shown}{': ' + words if words else '.'}"
        name, hint = {
            401: ("UNAUTHORIZED", f"Check the secrets of integration {self.name}: wrong, expired or revoked?"),
            403: ("FORBIDDEN", f"Give the account of integration {self.name} the rights for this."),
            404: ("NOT_FOUND", f"Check the id, and that integration {self.name} may see it."),
            429: ("RATE_LIMITED", "Try again later, or ask for less at a time."),
        }.get(status, ("REJECTED", "Check what you pass to this function."))
        if status >= 500:
            name, hint = "UNAVAILABLE", "Try again later."
        if status == 404 and what:
            message = f"{vendor} has no {what}."
        if 300 <= status < 400:
            hint = f"Set api_url of integration {self.name} to the address of the API itself."
        self._fail(name, message, self.hints.get(status, hint))

    def _fail(self, name: str, message: str, hint: str) -> NoReturn:
        for secret in self.secrets:
            if secret:
                message = message.replace(secret, "***")
        raise self.error(name, _shorten(message), hint) from None


def next_link(headers: Message) -> str | None:
    """The URL that a Link header calls rel="next", if any (RFC 8288)."""
    for header in headers.get_all("Link", []):
        for link in re.findall(r"<([^>]*)>([^<]*)", header):
            if re.search(r'\brel="?next"?(\s*[;,]|\s*$)', link[1]):
                return link[0]
    return None


def quote(part: str) -> str:
    """A value as one part of a path, whatever characters it has."""
    quoted = urllib.parse.quote(str(part), safe="@:")
    # A dot alone would climb to another resource.
    return quoted.replace(".", "%2E") if quoted in (".", "..") else quoted


def _told_to_wait(headers: Message, now: float) -> float | None:
    """Seconds after which a server wants to be asked again, if it says so.

    Retry-After is seconds or a date (RFC 9110). Okta (X-Rate-Limit-Reset) and
    GitHub (x-ratelimit-reset) say when, in seconds since 1970; PagerDuty
    (ratelimit-reset) says in how many seconds.
    """
    try:
        if after := headers.get("Retry-After"):
            if after.strip().isdigit():
                return float(after)
            return max(0.0, email.utils.parsedate_to_datetime(after).timestamp() - now)
        for name in ("X-Rate-Limit-Reset", "X-RateLimit-Reset"):
            if when := headers.get(name):
                return max(0.0, float(when) - now)
        if after := headers.get("RateLimit-Reset"):
            return max(0.0, float(after))
    except ValueError:
        pass
    return None


def _shorten(text: str, limit: int = 500) -> str:
    text = " ".join(text.split())
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _origin(url: str) -> str:
    parts = urllib.parse.urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}".lower()


def _is_safe(url: str, trusted_hosts: tuple[str, ...]) -> bool:
    """Whether a token may be sent to url."""
    try:
        parts = urllib.parse.urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        return False
    if not host or parts.username is not None or parts.query or parts.fragment:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and (_is_loopback(host) or host in trusted_hosts))


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class _SameOrigin(urllib.request.HTTPRedirectHandler):
    """Follows a redirect only where the token may go, and only to read."""

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
        if req.get_method() not in ("GET", "HEAD") or _origin(newurl) != _origin(req.full_url):
            return None
        return super().redirect_request(req, fp, code, msg, headers, newurl)


_opener = urllib.request.build_opener(_SameOrigin)
# Without TLS there are only neighbours, with whom a proxy has nothing to do.
_direct = urllib.request.build_opener(_SameOrigin, urllib.request.ProxyHandler({}))
