"""Who is told of a request, and how long it waits for them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Sequence

from sym.sdk.exceptions import SDKError, SlackError
from sym.sdk.request_destination import RequestDestination, check_destination, check_timeout
from sym.sdk.user import User


@dataclass(frozen=True)
class Notification:
    """Where a request is sent. When the time is over, or if it can be delivered
    nowhere, it moves on to the next notification of get_request_notifications;
    after the last it expires.

    Raises:
        SDKError: there is no destination, or more than one of Slack, or something
            that is no destination, or the timeout is not whole seconds.

    Example:
        @reducer
        def get_request_notifications(event):
            return [
                Notification(destinations=[slack.channel("#platform")], timeout=1800),
                Notification(destinations=[sym.get_or_create_user_by_email("lead@example.com")]),
            ]
    """

    destinations: Sequence[RequestDestination | User]
    """Where it is sent: one destination of Slack at most, and any number of users."""

    timeout: int | None = None
    """Seconds until it moves on; None: it waits for ever."""

    def __post_init__(self) -> None:
        if isinstance(self.destinations, (str, RequestDestination, User)) or not self.destinations:
            raise SDKError(
                "INVALID_NOTIFICATION",
                "A notification needs destinations.",
                "Give a list with one or more.",
            )
        object.__setattr__(self, "destinations", tuple(self.destinations))
        try:
            check_timeout(self.timeout, "timeout")
            slack = [d for d in self.destinations if not isinstance(d, User)]
            for destination in slack:
                check_destination(destination)
        except SlackError as error:
            raise SDKError("INVALID_NOTIFICATION", error.message, error.hint) from None
        if len(slack) > 1:
            raise SDKError(
                "INVALID_NOTIFICATION", f"A notification has {len(slack)} destinations of Slack.",
                "Give one, such as slack.group([…]), or make more notifications.",
            )
