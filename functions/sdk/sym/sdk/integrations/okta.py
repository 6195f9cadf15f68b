"""Groups and users of Okta.

The integration (type `okta`) has your Okta domain, such as "example.okta.com", as
external_id, and the API token as api_token_secret. Read-Only Administrator is
enough for what is here.

A member of a group counts while its status is ACTIVE: suspended, deprovisioned and
locked accounts, and those not activated yet, don't.

https://developer.okta.com/docs/api/
"""

from collections.abc import Iterator
from typing import Any

from sym.sdk.exceptions import OktaError
from sym.sdk.integration import Integration
from sym.sdk.integrations import _lookup
from sym.sdk.integrations._http import Client, quote, words_at
from sym.sdk.user import User

_PAGE = 200


def is_user_in_group(user: User, *, group_id: str) -> bool:
    """Whether a user is an active member of an Okta group.

    Args:
        user: whom to look for.
        group_id: the group's id, such as "00g1a2b3c4d5e6f7g8h9".

    Raises:
        OktaError: there is no such group (Okta:NOT_FOUND), or Okta can't be asked.
        IdentityNotFound: Okta knows nobody with the user's stored identity or e-mail.

    Example:
        if not okta.is_user_in_group(event.user, group_id=event.flow.vars["approvers"]):
            return ApprovalTemplate.ignore(message="Only approvers may do this.")
    """
    okta, integration = _connect()
    _group(okta, group_id)
    found = _user(okta, integration, user)
    if not _lookup.active(found, "status", "ACTIVE"):
        return False
    groups = okta.pages_by_link(f"/api/v1/users/{quote(found['id'])}/groups")  # which takes no limit
    return any(group["id"] == group_id for group in groups)


def users_in_group(*, group_id: str) -> list[User]:
    """The active members of an Okta group, as our users, matched by e-mail.

    Args:
        group_id: the group's id.

    Raises:
        OktaError: there is no such group (Okta:NOT_FOUND), or Okta can't be asked.

    Example:
        approve_deny=user_ids(okta.users_in_group(group_id="00g1a2b3c4d5e6f7g8h9"))
    """
    okta, _ = _connect()
    _group(okta, group_id)
    members = (member for member in _members(okta, group_id) if _lookup.active(member, "status", "ACTIVE"))
    return _lookup.users(OktaError, (_email(member) for member in members))


def get_user_info(user: User) -> dict[str, Any]:
    """What Okta knows about a user: id, status, profile and so on, as Okta's Users API has it.

    Raises:
        OktaError: Okta can't be asked.
        IdentityNotFound: Okta knows nobody with the user's stored identity or e-mail.

    Example:
        department = okta.get_user_info(event.user)["profile"].get("department")
    """
    okta, integration = _connect()
    return _user(okta, integration, user)


def list_groups(
    *,
    name_filter: str | None = None,
    filter: str | None = None,
    expand: list[str] | None = None,
    only_native_groups: bool = True,
) -> list[dict[str, Any]]:
    """Okta's groups, as Okta's Groups API has them.

    Args:
        name_filter: only groups whose name starts with this, in any case.
        filter: only groups for which this expression holds, such as 'id eq "00g1a2b3"'.
            Okta wants double quotes in it.
        expand: more to tell of each group: "stats", "app".
        only_native_groups: leave out groups that Okta has from elsewhere, such as
            Active Directory, for their members can't be changed in Okta.

    Raises:
        OktaError: Okta can't be asked, or does not understand filter.

    Example:
        [FieldOption(value=g["id"], label=g["profile"]["name"]) for g in okta.list_groups(name_filter="eng")]
    """
    okta, _ = _connect()
    params = {"q": name_filter, "filter": filter, "expand": ",".join(expand or ()) or None, "limit": _PAGE}
    return [
        group
        for group in okta.pages_by_link("/api/v1/groups", params)
        if not only_native_groups or group.get("type") == "OKTA_GROUP"
    ]


def _connect() -> tuple[Client, Integration]:
    integration = _lookup.integration("okta")
    token = integration.secret("api_token_secret").retrieve_value()
    okta = _lookup.client(
        OktaError,
        integration,
        _lookup.host(OktaError, integration),
        headers={"Authorization": f"SSWS {token}"},
        secrets=(token,),
        words=words_at("errorCode", "errorSummary"),
        hints={
            401: f"Check api_token_secret of integration {integration.name}: wrong, expired or revoked?",
            403: f"The token of integration {integration.name} needs the role Read-Only Administrator.",
        },
    )
    return okta, integration


def _group(okta: Client, group_id: str) -> dict[str, Any]:
    _lookup.needed("group_id", group_id)
    return okta.get(f"/api/v1/groups/{quote(group_id)}", what=f"group {group_id}")


def _members(okta: Client, group_id: str) -> Iterator[dict[str, Any]]:
    return okta.pages_by_link(f"/api/v1/groups/{quote(group_id)}/users", {"limit": _PAGE})


def _email(member: dict[str, Any]) -> str:
    profile = member.get("profile") or {}
    return profile.get("email") or profile.get("login") or ""


def _user(okta: Client, integration: Integration, user: User) -> dict[str, Any]:
    # Okta takes an id or a login here; a login nearly always is the e-mail address.
    key = _lookup.identity(user, "okta", integration) or user.email
    found = okta.find(f"/api/v1/users/{quote(key)}")
    if found is None:
        search = {"search": f"profile.email eq {_quoted(user.email)}", "limit": _PAGE}
        matching = list(okta.pages_by_link("/api/v1/users", search))
        if len(matching) > 1:  # somebody who left had the address before
            matching = [one for one in matching if _lookup.active(one, "status", "ACTIVE")]
        if len(matching) != 1:
            raise _lookup.unknown(user, "okta", integration)
        found = matching[0]
    return found


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
