"""What handlers ask of Sym Flows while they run: by HTTP on one machine, by a
Lambda invocation in AWS, with a token that is good for one run and a few minutes.
"""

from __future__ import annotations

import json
from typing import Any, Protocol

from sym.sdk.exceptions import AWSLambdaError, HTTPError, SDKError, from_code

TIMEOUT = 30.0  # seconds; a handler's own deadline is nearly always sooner
MOMENT = 0.1  # seconds; what can be answered at once is, even by a handler whose time is over
_LIMIT = 6 * 1024 * 1024  # bytes of an answer, as of a Lambda function's


class Services(Protocol):
    """Answers requests of handlers. sym.sdk.testing has one for tests."""

    def ask(self, op: str, **args: Any) -> Any:
        """Has op done and returns its value.

        Raises:
            SymException: it could not be done; of the class that the code names.
        """

    def offers(self, op: str) -> bool:
        """Whether op ("secret", "invoke") is to be asked here and not of AWS."""


class NoServices:
    """Where nothing can be asked, such as in a test that configures no services."""

    def ask(self, op: str, **args: Any) -> Any:
        raise SDKError(
            "NO_SERVICES",
            f"Nothing can be asked of Sym Flows here ({op}).",
            "Call it from a handler of a run; in a test, configure sym.sdk.testing.FakeServices.",
        )

    def offers(self, op: str) -> bool:
        return False


class RemoteServices:
    """The services function of Sym Flows.

    Args:
        token: good for this run and this call.
        url: where to POST requests.
        function: ARN of the Lambda function to invoke instead.
        offers: ops that are to be asked here, which AWS could answer too.
    """

    def __init__(self, *, token: str, url: str = "", function: str = "", offers: list[str] | None = None) -> None:
        self._token = token
        self._url = url
        self._function = function
        self._offers = frozenset(offers or ())

    def offers(self, op: str) -> bool:
        return op in self._offers

    def ask(self, op: str, **args: Any) -> Any:
        timeout = _patience()
        asked = {"token": self._token, "op": op, "args": args, "timeout_ms": int(timeout * 1000)}
        body = json.dumps(asked).encode()
        raw = self._post(op, body, timeout) if self._url else self._invoke(op, body, timeout)
        try:
            answer = json.loads(raw)
            error = answer.get("error")
            if error:
                raise from_code(error["code"], error["message"], error.get("hint") or "")
            return answer["value"]
        except (ValueError, KeyError, AttributeError, TypeError) as bad:
            raise HTTPError("BAD_ANSWER", f"The answer to {op} can't be understood.") from bad

    def _post(self, op: str, body: bytes, timeout: float) -> bytes:
        import urllib.error  # only where something is asked: importing it takes long
        import urllib.request

        request = urllib.request.Request(self._url, body, {"Content-Type": "application/json"})
        # Straight to it: a proxy of the environment has no business with the token.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=timeout) as response:
                return response.read(_LIMIT)
        except urllib.error.HTTPError as refusal:  # errors have bodies of the same shape
            with refusal:
                raw = refusal.read(_LIMIT)
            if raw.lstrip().startswith(b"{"):
                return raw
            raise HTTPError("BAD_STATUS", f"Sym Flows answered {op} with status {refusal.code}.") from None
        except OSError as error:
            raise HTTPError("NO_ANSWER", f"Sym Flows does not answer {op}: {error}") from error

    def _invoke(self, op: str, body: bytes, timeout: float) -> bytes:
        from sym.sdk.integrations import _aws  # which is built on this module
        from sym.sdk.integrations._http import quote

        parts = self._function.split(":")
        region = parts[3] if len(parts) > 3 else _aws.own_region()
        answer = _aws.Service(AWSLambdaError, "lambda", region, _aws.own_credentials()).client.request(
            "POST",
            f"/2015-03-31/functions/{quote(self._function)}/invocations",
            body=body,
            headers={"Content-Type": "application/json"},
            what="the services of Sym Flows",
            timeout=timeout,
        )
        if answer.headers.get("X-Amz-Function-Error"):
            raise HTTPError("BAD_STATUS", f"Sym Flows failed to answer {op}.")
        return answer.body


def _patience() -> float:
    """The seconds that an answer may take: what the handler has left, or TIMEOUT."""
    from sym.sdk import runtime  # which is built on this module

    try:
        return max(MOMENT, min(TIMEOUT, runtime.remaining()))
    except SDKError:  # no handler runs
        return TIMEOUT


def connect(wire: dict[str, Any] | None) -> Services:
    """The services that a message of the handler protocol names."""
    if not wire:
        return NoServices()
    return RemoteServices(
        token=wire.get("token") or "",
        url=wire.get("url") or "",
        function=wire.get("function") or "",
        offers=wire.get("offers"),
    )
