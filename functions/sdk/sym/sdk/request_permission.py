"""Who may see and decide a request."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Iterable, Sequence
from uuid import UUID

from sym.sdk.exceptions import SDKError
from sym.sdk.user import User


class PermissionLevel(str, Enum):
    """Groups of users."""

    ADMIN = "admin"
    """Admins only."""

    MEMBER = "member"
    """Everyone who is no guest."""

    ALL_USERS = "all_users"
    """Everyone, guests included."""


@dataclass(frozen=True)
class RequestPermission:
    """Who may see and decide a request. Admins always may.

    Raises:
        SDKError: a list is empty, or a permission is neither a PermissionLevel nor a
            list of users or their ids.

    Example:
        @reducer
        def get_permissions(event):
            on_call = pagerduty.users_on_call(schedule_name="Platform")
            return RequestPermission(
                webapp_view=PermissionLevel.MEMBER,
                approve_deny=on_call or PermissionLevel.ADMIN,
            )
    """

    webapp_view: PermissionLevel | Sequence[UUID | User]
    """Who may see the request outside of Slack: a level, or a list of users or their
    ids. It holds ids then."""

    approve_deny: PermissionLevel | Sequence[UUID | User]
    """Who may approve or deny it, likewise."""

    allow_self_approval: bool = False
    """Whether requesters who may decide may decide their own requests."""

    def __post_init__(self) -> None:
        for name in ("webapp_view", "approve_deny"):
            object.__setattr__(self, name, _permission(name, getattr(self, name)))
        if not isinstance(self.allow_self_approval, bool):
            raise SDKError(
                "INVALID_PERMISSION",
                f"allow_self_approval is {self.allow_self_approval!r}.",
                "Give True or False.",
            )


def user_ids(users: Iterable[User]) -> list[UUID]:
    """The ids of users, as RequestPermission takes them.

    Raises:
        SDKError: one is no User.

    Example:
        RequestPermission(webapp_view=PermissionLevel.ADMIN, approve_deny=user_ids(leads))
    """
    users = list(users)
    for user in users:
        if not isinstance(user, User):
            raise SDKError(
                "INVALID_PERMISSION",
                f"{user!r} is no User.",
                "Get one with sym.get_or_create_user_by_email.",
            )
    return [user.id for user in users]


def _permission(name: str, value: object) -> PermissionLevel | tuple[UUID, ...]:
    hint = "Give a PermissionLevel, or a list of users or their ids."
    if isinstance(value, str):
        try:
            return PermissionLevel(value)
        except ValueError:
            raise SDKError("INVALID_PERMISSION", f"{name} is {value!r}.", hint) from None
    if not isinstance(value, Iterable):
        raise SDKError("INVALID_PERMISSION", f"{name} is {value!r}.", hint)
    ids = tuple(value)
    if not ids:
        raise SDKError(
            "EMPTY_PERMISSION",
            f"{name} is an empty list: nobody but admins could.",
            "Say so: PermissionLevel.ADMIN.",
        )
    try:
        return tuple(one.id if isinstance(one, User) else one if isinstance(one, UUID) else UUID(one) for one in ids)
    except (ValueError, AttributeError, TypeError):
        raise SDKError(
            "INVALID_PERMISSION",
            f"{name} has something that is neither a user nor an id of one.",
            hint,
        ) from None
