"""Trainings and groups of KnowBe4.

The integration (type `knowbe4`) has your primary domain as external_id, the region of
your account as region (us, eu, ca, uk or de) and the token of the Reporting API as
api_token_secret. Archived users are left out of all groups.

https://developer.knowbe4.com/rest/reporting
"""

from collections.abc import Iterator
from typing import Any

from sym.sdk.exceptions import KnowBe4Error
from sym.sdk.integration import Integration
from sym.sdk.integrations import _lookup
from sym.sdk.integrations._http import Answer, Client, quote, words_at
from sym.sdk.user import User

_PAGE = 500
_REGIONS = ("us", "eu", "ca", "uk", "de")


def get_training_enrollments_for_user(
    user: User, store_purchase_id: int | None = None, campaign_id: int | None = None
) -> list[dict[str, Any]]:
    """A user's enrollments in trainings, as KnowBe4's Reporting API has them.

    Args:
        user: whose.
        store_purchase_id: only for this training content of the ModStore.
        campaign_id: only for this training campaign.

    Raises:
        KnowBe4Error: KnowBe4 can't be asked.
        IdentityNotFound: KnowBe4 knows nobody with the user's stored identity or e-mail.

    Example:
        trainings = knowbe4.get_training_enrollments_for_user(event.user, campaign_id=100345)
        if any(training["status"] == "Passed" for training in trainings):
            return ApprovalTemplate.approve(reason="Trained")
    """
    knowbe4, integration = _connect()
    params = {
        "user_id": _user_id(knowbe4, integration, user),
        "store_purchase_id": store_purchase_id,
        "campaign_id": campaign_id,
    }
    return list(_list(knowbe4, "/v1/training/enrollments", params))


def is_user_in_group(user: User, group_id: int) -> bool:
    """Whether a user is an active member of a KnowBe4 group.

    Args:
        user: whom to look for, by stored identity or e-mail.
        group_id: the group's id, such as 123456; a text of digits will do.

    Raises:
        KnowBe4Error: there is no such group (KnowBe4:NOT_FOUND), or KnowBe4 can't be asked.
        MissingArgument: group_id is missing.

    Example:
        knowbe4.is_user_in_group(event.user, 123456)
    """
    knowbe4, integration = _connect()
    stored = _lookup.identity(user, "knowbe4", integration)
    id = str(_lookup.needed("group_id", group_id, (int, str)))
    members = _list(knowbe4, f"/v1/groups/{quote(id)}/members", {}, what=f"group {id}")
    return any(_is(member, user, stored) and _lookup.active(member, "status", "active") for member in members)


def _connect() -> tuple[Client, Integration]:
    integration = _lookup.integration("knowbe4")
    region = str(integration.settings.get("region") or "us").lower()
    if region not in _REGIONS:
        raise KnowBe4Error(
            "NOT_CONFIGURED",
            f"The integration {integration.name} has the region {region!r}.",
            f"Use one of {', '.join(_REGIONS)}.",
        )
    token = integration.secret("api_token_secret").retrieve_value()
    knowbe4 = _lookup.client(
        KnowBe4Error,
        integration,
        f"https://{region}.api.knowbe4.com",
        headers={"Authorization": f"Bearer {token}"},
        secrets=(token,),
        words=words_at("message", "error", "errors"),
        hints={
            401: f"Check api_token_secret and region of integration {integration.name}.",
            403: f"Enable the Reporting API for the account of integration {integration.name}.",
        },
    )
    return knowbe4, integration


def _list(knowbe4: Client, path: str, params: dict[str, Any], *, what: str = "") -> Iterator[dict[str, Any]]:
    """All items of a list. KnowBe4 does not say how many pages there are: a page that
    is not full is the last.
    """
    page = 1

    def following(_: Any, __: Answer, found: list[Any]) -> dict[str, int] | None:
        nonlocal page
        page += 1
        return {"page": page} if len(found) >= _PAGE else None

    return knowbe4.pages(path, {**params, "page": page, "per_page": _PAGE}, lambda answer: answer, following, what=what)


def _user_id(knowbe4: Client, integration: Integration, user: User) -> str:
    stored = _lookup.identity(user, "knowbe4", integration)
    if stored:
        return stored
    # There is no look-up by address.
    for person in _list(knowbe4, "/v1/users", {"status": "active"}):
        if _is(person, user, None):
            return str(person["id"])
    raise _lookup.unknown(user, "knowbe4", integration)


def _is(person: dict[str, Any], user: User, stored: str | None) -> bool:
    if stored:
        return str(person.get("id")) == stored
    return (person.get("email") or "").lower() == user.email.lower()
