"""Where a request is sent: a channel, a person, a group of people in Slack."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Sequence

from sym.sdk.exceptions import SlackError
from sym.sdk.user import User

MAX_GROUP_USERS = 7  # people in one of Slack's group conversations, beside the app

_CHANNEL_ID = re.compile(r"[CDG][A-Z0-9]+")
_USER_ID = re.compile(r"[UW][A-Z0-9]+")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+")


@dataclass(frozen=True, kw_only=True)
class RequestDestination:
    """Where a request is sent. Use one of its subclasses, or the functions of
    sym.sdk.integrations.slack, which make them.
    """

    allow_self: bool = False
    """Whether requesters may decide their own requests here. Only get_approvers
    heeds it; with get_permissions, allow_self_approval says so."""

    timeout: int | None = None
    """Seconds until the request moves on to the next destination; None: never.
    Only get_approvers heeds it; a Notification has a timeout of its own."""

    def _check(self) -> None:
        check_timeout(self.timeout, "timeout")


@dataclass(frozen=True)
class SlackChannelID(RequestDestination):
    """A channel or conversation in Slack by its id.

    Raises:
        SlackError: the id does not start with C, D or G.
    """

    channel_id: str

    def __post_init__(self) -> None:
        self._check()
        if not _matches(_CHANNEL_ID, self.channel_id):
            raise SlackError(
                "INVALID_CHANNEL",
                f"{self.channel_id!r} is no id of a channel.",
                "Ids are like C012AB3CD; names need SlackChannelName.",
            )


@dataclass(frozen=True)
class SlackChannelName(RequestDestination):
    """A channel in Slack by its name, with or without "#".

    Raises:
        SlackError: the name is empty.
    """

    channel_name: str

    def __post_init__(self) -> None:
        self._check()
        if not isinstance(self.channel_name, str) or not self.channel_name.strip("# "):
            raise SlackError(
                "INVALID_CHANNEL",
                f"{self.channel_name!r} is no name of a channel.",
                'Names are like "#access-prod".',
            )


@dataclass(frozen=True)
class SlackUser(RequestDestination):
    """A person in Slack, by Slack's id or by e-mail address.

    Raises:
        SlackError: it is neither an id that starts with U or W, nor an address.
    """

    user_id: str

    def __post_init__(self) -> None:
        self._check()
        _check_user(self.user_id)


@dataclass(frozen=True)
class SlackUserGroup(RequestDestination):
    """One conversation with one to seven people, by Slack's ids or e-mail addresses.

    Raises:
        SlackError: there are none, or too many, or one is no person.
    """

    users: Sequence[str]

    def __post_init__(self) -> None:
        self._check()
        if isinstance(self.users, str) or not 1 <= len(self.users) <= MAX_GROUP_USERS:
            raise SlackError(
                "INVALID_GROUP",
                f"A group has 1 to {MAX_GROUP_USERS} users, in a list.",
                "Use a channel for more.",
            )
        object.__setattr__(self, "users", tuple(self.users))
        for user in self.users:
            _check_user(user)


@dataclass(frozen=True)
class RequestDestinationFallback:
    """Destinations of get_approvers, tried one after the other.

    Raises:
        SlackError: there are fewer than two.
    """

    destinations: Sequence[RequestDestination]

    continue_on_delivery_failure: bool = True
    """Whether the next is tried where the request can't be delivered."""

    continue_on_timeout: bool = False
    """Whether the next is tried once a destination's timeout is over."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "destinations", tuple(self.destinations))
        for destination in self.destinations:
            check_destination(destination)
        if len(self.destinations) < 2:
            raise SlackError(
                "INVALID_FALLBACK",
                "A fallback needs two destinations or more.",
                "Return the one as it is.",
            )


def check_destination(value: object) -> None:
    """Raises SlackError unless value is a destination."""
    if type(value) is RequestDestination or not isinstance(value, RequestDestination):
        raise SlackError(
            "INVALID_DESTINATION",
            f"{value!r} is no destination.",
            'Make one with slack.channel("#name"), slack.user(…) or slack.group(…).',
        )


def check_timeout(value: object, what: str) -> None:
    """Raises SlackError unless value is None or whole seconds, one or more."""
    if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
        raise SlackError(
            "INVALID_TIMEOUT",
            f"{what} is {value!r}.",
            "Give whole seconds, 1 or more, or None for no time-out.",
        )


def to_wire(destination: RequestDestination | User) -> dict[str, Any]:
    """The destination as the handler protocol has it."""
    if isinstance(destination, User):
        return {"kind": "user", "id": str(destination.id), "email": destination.email}
    check_destination(destination)
    rest = {"allow_self": destination.allow_self, "timeout": destination.timeout}
    match destination:
        case SlackChannelID():
            return {"kind": "slack_channel_id", "id": destination.channel_id, **rest}
        case SlackChannelName():
            return {"kind": "slack_channel_name", "name": destination.channel_name, **rest}
        case SlackUser() if _EMAIL.fullmatch(destination.user_id):
            return {"kind": "user", "email": destination.user_id, **rest}
        case SlackUser():
            return {"kind": "slack_user", "id": destination.user_id, **rest}
        case SlackUserGroup():
            return {"kind": "slack_user_group", "users": list(destination.users), **rest}
    raise SlackError(
        "INVALID_DESTINATION",
        f"{destination!r} is no destination that we know.",
        "Use a class of this module.",
    )


def from_wire(wire: dict[str, Any]) -> RequestDestination | None:
    """The destination that the handler protocol tells of; None for a kind we don't know."""
    rest: dict[str, Any] = {"allow_self": bool(wire.get("allow_self")), "timeout": wire.get("timeout")}
    match wire.get("kind"):
        case "slack_channel_id":
            return SlackChannelID(wire["id"], **rest)
        case "slack_channel_name":
            return SlackChannelName(wire["name"], **rest)
        case "slack_user":
            return SlackUser(wire["id"], **rest)
        case "user":
            return SlackUser(wire["email"], **rest)
        case "slack_user_group":
            return SlackUserGroup(wire["users"], **rest)
    return None


def _check_user(user: object) -> None:
    if not (_matches(_USER_ID, user) or _matches(_EMAIL, user)):
        raise SlackError(
            "INVALID_USER",
            f"{user!r} is no user of Slack.",
            "Ids are like U012AB3CD; an e-mail address will do.",
        )


def _matches(pattern: re.Pattern[str], value: object) -> bool:
    return isinstance(value, str) and pattern.fullmatch(value) is not None
