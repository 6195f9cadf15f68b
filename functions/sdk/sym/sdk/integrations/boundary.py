"""Groups of HashiCorp Boundary.

The integration (type `boundary`) has the controller's address, such as
"https://boundary.example.com", as external_id, the id of a password auth method as
auth_method_id, and an account of it as login_name and password_secret. The account's
user needs a role with grants to list and read groups.

https://developer.hashicorp.com/boundary/api-docs
"""

from typing import Any

from sym.sdk.exceptions import BoundaryError
from sym.sdk.integrations import _lookup
from sym.sdk.integrations._http import Answer, Client, quote, words_at


def list_groups(scope_id: str = "global", filter: str | None = None, recursive: bool = False) -> list[dict[str, Any]]:
    """Boundary's groups, as its Group Service has them.

    Args:
        scope_id: the scope whose groups are listed: "global", or the id of an
            organization or a project.
        filter: only groups for which this expression holds, such as
            '"/item/name" == "Operators"'.
        recursive: whether the groups of scopes below are listed too.

    Raises:
        BoundaryError: the account may not list groups, the filter makes no sense, or
            Boundary can't be asked.

    Example:
        [FieldOption(value=g["id"], label=g["name"]) for g in boundary.list_groups(recursive=True)]
    """

    def following(page: Any, _: Answer, __: Any) -> dict[str, str] | None:
        # Versions before 0.15 send all at once and no response_type.
        return {"list_token": page["list_token"]} if page.get("response_type") == "delta" else None

    params = {"scope_id": scope_id, "filter": filter or None, "recursive": "true" if recursive else None}
    # Boundary leaves out the key of an empty list.
    return list(_connect().pages("/v1/groups", params, lambda page: page.get("items") or [], following))


def get_group(group_id: str) -> dict[str, Any]:
    """A group, as Boundary's Group Service has it, with its members.

    Args:
        group_id: the group's id, such as "g_1234567890".

    Raises:
        BoundaryError: there is no such group (Boundary:NOT_FOUND), the account may not
            read it, or Boundary can't be asked.

    Example:
        members = boundary.get_group("g_1234567890").get("member_ids", [])
    """
    _lookup.needed("group_id", group_id)
    return _connect().get(f"/v1/groups/{quote(group_id)}", what=f"group {group_id}")


def _connect() -> Client:
    integration = _lookup.integration("boundary")
    method = _lookup.setting(BoundaryError, integration, "auth_method_id")
    login = _lookup.setting(BoundaryError, integration, "login_name")
    password = integration.secret("password_secret").retrieve_value()
    address = integration.external_id
    options: dict[str, Any] = {
        "words": words_at("message", "details.request_fields"),
        "hints": {
            401: f"Check auth_method_id, login_name and password_secret of integration {integration.name}.",
            403: f"Give the user of integration {integration.name} a role that may list and read groups.",
        },
    }
    boundary = _lookup.client(BoundaryError, integration, address, secrets=(password,), **options)
    answer = boundary.post(
        f"/v1/auth-methods/{quote(method)}:authenticate",
        {"command": "login", "type": "token", "attributes": {"login_name": login, "password": password}},
        repeatable=True,
    )
    token = (answer.get("attributes") or {}).get("token")
    if not token:
        raise BoundaryError("BAD_ANSWER", "Boundary gave no token.", options["hints"][401])
    headers = {"Authorization": f"Bearer {token}"}
    return _lookup.client(BoundaryError, integration, address, headers=headers, secrets=(password, token), **options)
