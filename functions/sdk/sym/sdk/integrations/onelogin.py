"""Roles and users of OneLogin.

The integration (type `onelogin`) has your OneLogin domain, such as
"example.onelogin.com", as external_id and the API credential pair as client_id and
client_secret. The pair needs Read All.

A user with a role counts while its status is 1, active: suspended, locked and
unactivated ones don't, nor who has to set a password first.

https://developers.onelogin.com/api-docs/2/getting-started/dev-overview
"""

import base64
from collections.abc import Iterator
from typing import Any

from sym.sdk.exceptions import OneLoginError
from sym.sdk.integration import Integration
from sym.sdk.integrations import _lookup
from sym.sdk.integrations._http import Answer, Client, quote, words_at
from sym.sdk.user import User

_PAGE = 100
_AT_ONCE = 50  # users that are looked up by their ids in one go
_ACTIVE = 1


def list_roles(name_filter: str | None = None) -> list[dict[str, Any]]:
    """OneLogin's roles, as its Roles API has them. There may be any number: Sym's
    limit of 650 is gone.

    Args:
        name_filter: only roles whose name contains this, in any case.

    Raises:
        OneLoginError: OneLogin can't be asked.

    Example:
        [FieldOption(value=str(r["id"]), label=r["name"]) for r in onelogin.list_roles("prod")]
    """
    onelogin, _ = _connect()
    wanted = (name_filter or "").lower()
    return [role for role in _list(onelogin, "/api/2/roles") if wanted in (role.get("name") or "").lower()]


def get_user_info(user: User) -> dict[str, Any]:
    """What OneLogin knows about a user, as its Users API has it.

    Raises:
        OneLoginError: OneLogin can't be asked.
        IdentityNotFound: OneLogin knows nobody with the user's stored identity or e-mail.

    Example:
        department = onelogin.get_user_info(event.user).get("department")
    """
    onelogin, integration = _connect()
    id = _user_id(onelogin, integration, user)
    found = onelogin.find(f"/api/2/users/{quote(id)}")
    if found is None:
        raise _lookup.unknown(user, "onelogin", integration)
    return found


def users_in_role(role_id: int) -> list[User]:
    """The active members of a role, as our users, matched by e-mail.

    Args:
        role_id: the role's id, such as 1234567; a text of digits will do.

    Raises:
        OneLoginError: there is no such role (OneLogin:NOT_FOUND), or OneLogin can't be asked.
        MissingArgument: role_id is missing.

    Example:
        return slack.group(onelogin.users_in_role(1234567))
    """
    onelogin, _ = _connect()
    active = _active(onelogin, _members(onelogin, role_id))
    return _lookup.users(OneLoginError, (member.get("email") for member in active))


def is_user_in_role(user: User, *, role_id: int) -> bool:
    """Whether a user is active and has a role.

    Args:
        user: whom to look for.
        role_id: the role's id; a text of digits will do.

    Raises:
        OneLoginError: there is no such role (OneLogin:NOT_FOUND), or OneLogin can't be asked.
        IdentityNotFound: OneLogin knows nobody with the user's stored identity or e-mail.
        MissingArgument: an argument is missing.

    Example:
        onelogin.is_user_in_role(event.user, role_id=event.payload.fields["target"].settings["role_id"])
    """
    onelogin, integration = _connect()
    members = _members(onelogin, role_id)
    id = _user_id(onelogin, integration, user)
    return bool(_active(onelogin, [member for member in members if str(member.get("id")) == id]))


def _connect() -> tuple[Client, Integration]:
    integration = _lookup.integration("onelogin")
    id = _lookup.setting(OneLoginError, integration, "client_id")
    secret = integration.secret("client_secret").retrieve_value()
    pair = base64.b64encode(f"{id}:{secret}".encode()).decode()
    address = _lookup.host(OneLoginError, integration)
    options: dict[str, Any] = {
        "words": words_at("message", "status.message", "statusCode"),
        "hints": {
            401: f"Check client_id and client_secret of integration {integration.name}.",
            403: f"The credential pair of integration {integration.name} needs the scope Read All.",
        },
    }
    entrance = _lookup.client(
        OneLoginError, integration, address, headers={"Authorization": f"Basic {pair}"}, secrets=(secret, pair), **options
    )
    answer = entrance.post("/auth/oauth2/v2/token", {"grant_type": "client_credentials"}, repeatable=True)
    token = answer.get("access_token")
    if not token:
        raise OneLoginError("BAD_ANSWER", "OneLogin gave no access token.", options["hints"][401])
    headers = {"Authorization": f"Bearer {token}"}
    onelogin = _lookup.client(OneLoginError, integration, address, headers=headers, secrets=(secret, token), **options)
    return onelogin, integration


def _list(
    onelogin: Client, path: str, params: dict[str, Any] | None = None, *, what: str = ""
) -> Iterator[dict[str, Any]]:
    """All items of a list. OneLogin tells the next page's cursor, or how many pages
    there are, in headers.
    """

    def following(_: Any, answer: Answer, found: list[Any]) -> dict[str, Any] | None:
        if not found:
            return None
        if cursor := answer.headers.get("After-Cursor"):
            return {"cursor": cursor}
        page, pages = (int(answer.headers.get(name) or 1) for name in ("Current-Page", "Total-Pages"))
        return {"page": page + 1} if page < pages else None

    return onelogin.pages(path, {"limit": _PAGE, **(params or {})}, lambda page: page, following, what=what)


def _members(onelogin: Client, role_id: int) -> list[dict[str, Any]]:
    id = str(_lookup.needed("role_id", role_id, (int, str)))
    # A role that is not there has an empty list of users for some accounts.
    onelogin.get(f"/api/2/roles/{quote(id)}", what=f"role {id}")
    return list(_list(onelogin, f"/api/2/roles/{quote(id)}/users", what=f"role {id}"))


def _active(onelogin: Client, members: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Those members who are active. A role tells ids only, so their status and e-mail
    are looked up.
    """
    accounts: dict[str, dict[str, Any]] = {}
    ids = [str(member.get("id")) for member in members]
    for start in range(0, len(ids), _AT_ONCE):
        some = ",".join(ids[start : start + _AT_ONCE])
        accounts.update((str(one.get("id")), one) for one in _list(onelogin, "/api/2/users", {"user_ids": some}))
    known = ({**member, **accounts.get(str(member.get("id")), {})} for member in members)
    return [one for one in known if _lookup.active(one, "status", _ACTIVE)]


def _user_id(onelogin: Client, integration: Integration, user: User) -> str:
    stored = _lookup.identity(user, "onelogin", integration)
    if stored:
        return stored
    for found in _list(onelogin, "/api/2/users", {"email": user.email}):
        if (found.get("email") or "").lower() == user.email.lower():
            return str(found["id"])
    raise _lookup.unknown(user, "onelogin", integration)
