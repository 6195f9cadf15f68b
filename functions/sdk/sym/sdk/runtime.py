"""What is around a handler while it runs: the event, the environment's
integrations, the outputs of earlier steps, the services it can ask, and its deadline.

Functions such as slack.send_message take none of it as an argument, so it is
kept here for as long as a handler runs. A process runs one handler at a time;
threads that a handler starts see the same.
"""

from __future__ import annotations

import math
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Iterator

from sym.sdk.exceptions import SDKError
from sym.sdk.services import NoServices, Services

if TYPE_CHECKING:
    from sym.sdk.event import Event
    from sym.sdk.integration import Integration


@dataclass(frozen=True)
class Runtime:
    """What is around one call of a handler."""

    services: Services = field(default_factory=NoServices)
    event: Event | None = None
    integrations: dict[str, Integration] = field(default_factory=dict)
    step_outputs: dict[str, dict[str, Any]] = field(default_factory=dict)
    deadline: float = math.inf  # by time.monotonic, in seconds


_now: Runtime | None = None


@contextmanager
def use(runtime: Runtime) -> Iterator[Runtime]:
    """Puts runtime around the code in the with statement."""
    global _now
    before, _now = _now, runtime
    try:
        yield runtime
    finally:
        _now = before


def current() -> Runtime:
    """What is around the handler that runs.

    Raises:
        SDKError: none runs, for example because the code is at a file's top level.
    """
    if _now is None:
        raise SDKError(
            "NO_HANDLER",
            "This can only be done while a handler runs.",
            "Move it from the top level of the file into a handler; in a test, use sym.sdk.testing.",
        )
    return _now


SPARE = 0.5  # seconds that a handler has left when what it waits for is given up


def remaining() -> float:
    """The seconds that the running handler may still wait for something: it has SPARE
    more, to do without. Never less than 0, infinity if there is no deadline. Raises
    SDKError like current."""
    return max(0.0, current().deadline - SPARE - time.monotonic())


def services() -> Services:
    """The services that the running handler can ask. Raises SDKError like current."""
    return current().services


def event() -> Event:
    """The event that is handled. Raises SDKError if there is none."""
    found = current().event
    if found is None:
        raise SDKError("NO_EVENT", "There is no event here.", "Call it from a hook or a reducer that takes an event.")
    return found


def integration(service: str) -> Integration:
    """The integration of a service in the flow's environment.

    Args:
        service: such as "pagerduty"; the environment names it `pagerduty_id`.

    Raises:
        SDKError: the environment has none.
    """
    integrations = current().integrations
    if service not in integrations:
        raise SDKError(
            "NO_INTEGRATION",
            f"The flow's environment has no integration {service!r}.",
            f"Add {service}_id to its integrations.",
        )
    return integrations[service]
