"""People and bots, and who they are in other systems."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from enum import Enum
from typing import Any, Literal, Mapping, Sequence
from uuid import UUID

from sym.sdk import runtime
from sym.sdk.exceptions import SDKError
from sym.sdk.resource import SRN, SymResource


class UserType(str, Enum):
    """Who acts: a person ("normal") or a program ("bot")."""

    NORMAL = "normal"
    BOT = "bot"


class UserRole(str, Enum):
    """What a user may do: an admin may decide every request, a guest start none."""

    ADMIN = "admin"
    MEMBER = "member"
    GUEST = "guest"


@dataclass(frozen=True)
class UserIdentity:
    """Who a user is in one system."""

    service: str
    """Type of the system, such as "okta"."""

    service_id: str
    """Which one of that type, such as "example.okta.com"; a workspace's id for Slack."""

    user_id: str
    """The user there, such as "00u1a2b3c4"."""


class User(SymResource):
    """A person or a bot. Two are equal if they are the same user."""

    def __init__(
        self,
        *,
        id: UUID | str,
        email: str,
        srn: SRN | str = "",
        username: str = "",
        name: str = "",
        first_name: str = "",
        last_name: str = "",
        type: str = "normal",
        role: str = "member",
        is_agent: bool = False,
        identities: Sequence[UserIdentity] = (),
    ) -> None:
        self._id = id if isinstance(id, UUID) else UUID(id)
        super().__init__(srn or f"sym:user:{type}:{self._id}:latest")
        self._email = email
        self._username = username or email
        self._name = name
        self._first_name = first_name
        self._last_name = last_name
        self._type = UserType(type)
        self._role = UserRole(role)
        self._is_agent = is_agent
        self._identities = list(identities)

    @property
    def id(self) -> UUID:
        """The user's id, which RequestPermission takes in its lists."""
        return self._id

    @property
    def email(self) -> str:
        """The user's e-mail address."""
        return self._email

    @property
    def username(self) -> str:
        """The e-mail address of a person, the name of a bot."""
        return self._username

    @property
    def name(self) -> str:
        """How the user is called, or the username if we don't know."""
        return self._name or " ".join(filter(None, [self.first_name, self.last_name])) or self._username

    @property
    def first_name(self) -> str:
        """First name; empty if we don't know."""
        return self._first_name

    @property
    def last_name(self) -> str:
        """Last name; empty if we don't know."""
        return self._last_name

    @property
    def type(self) -> UserType:
        """"normal" or "bot"."""
        return self._type

    @property
    def role(self) -> UserRole:
        """"admin", "member" or "guest"."""
        return self._role

    @property
    def is_agent(self) -> bool:
        """Whether this is an agent: a bot that works for a person. Which person, and what
        for, says event.run.agent."""
        return self._is_agent

    @property
    def identities(self) -> list[UserIdentity]:
        """All that is stored about who the user is in other systems."""
        return list(self._identities)

    def identity(self, service_type: str, service_id: str | None = None) -> UserIdentity | None:
        """Who the user is in a system; None if nothing is stored about it.

        Args:
            service_type: type of the system, such as "pagerduty".
            service_id: which one of that type (an integration's external_id); None
                for the first that is stored.

        Example:
            event.user.identity("slack").user_id
        """
        for identity in self._identities:
            if identity.service == service_type and service_id in (None, identity.service_id):
                return identity
        return None

    def get_event_count(
        self,
        event_name: str | Enum,
        since: datetime | timedelta | None = None,
        until: datetime | timedelta | None = None,
        filter_on: Literal["flow", "target"] = "flow",
        include_errored: bool = False,
    ) -> int:
        """How often the user caused an event of a name, this one included.

        Args:
            event_name: such as "request", or ApprovalTemplateStep.REQUEST.
            since: only count from then on: a moment (UTC if it names no time zone),
                or how long ago. None: from the beginning.
            until: only count up to then, likewise. None: up to now.
            filter_on: "flow" counts events of this flow, "target" only those of
                this flow with the target of this event.
            include_errored: count events too that ended with an error.

        Raises:
            SDKError: the name of the event or filter_on is none of ours.
            SymIntegrationError: the events could not be counted.

        Example:
            if event.user.get_event_count("request", since=timedelta(days=1)) > 5:
                return ApprovalTemplate.ignore(message="Five requests a day are enough.")
        """
        from sym.sdk.templates.approval import ApprovalTemplateStep  # which needs users itself

        names = [step.value for step in ApprovalTemplateStep]
        if _plain(event_name) not in names:
            raise SDKError("UNKNOWN_EVENT", f"There is no event {event_name!r}.", f"Use one of {', '.join(names)}.")
        if filter_on not in ("flow", "target"):
            raise SDKError("UNKNOWN_FILTER", f"Events can't be counted by {filter_on!r}.", "Use flow or target.")
        return runtime.services().ask(
            "event_count",
            user_id=str(self._id),
            event=_plain(event_name),
            since=_moment(since),
            until=_moment(until),
            filter_on=filter_on,
            include_errored=include_errored,
        )

    def __str__(self) -> str:
        return self._username

    def __repr__(self) -> str:
        return f"<User {self._username}>"


def user_from(wire: Mapping[str, Any]) -> User:
    """The User of a message of the handler protocol, or of an answer of the services."""
    return User(
        id=wire["id"],
        email=wire["email"],
        srn=wire.get("srn") or "",
        username=wire.get("username") or "",
        name=wire.get("name") or "",
        first_name=wire.get("first_name") or "",
        last_name=wire.get("last_name") or "",
        type=wire.get("type") or "normal",
        role=wire.get("role") or "member",
        is_agent=bool(wire.get("agent")),
        identities=[
            UserIdentity(i["service"], i.get("service_id") or "", i["user_id"]) for i in wire.get("identities") or ()
        ],
    )


def _plain(name: str | Enum) -> str:
    return name.value if isinstance(name, Enum) else name


def _moment(when: datetime | timedelta | None) -> str | None:
    """The moment as RFC 3339 in UTC."""
    if when is None:
        return None
    if isinstance(when, timedelta):
        when = datetime.now(timezone.utc) - when
    if when.tzinfo is None:
        when = when.replace(tzinfo=timezone.utc)
    return when.astimezone(timezone.utc).isoformat()
