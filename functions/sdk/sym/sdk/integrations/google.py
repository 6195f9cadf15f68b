"""Google Groups.

The integration (type `google`) has your Workspace domain as external_id. There are
no keys: with Workload Identity Federation, Google believes a request that AWS
signed for the role that we run as. The settings are those of Google's file of
credentials for AWS:

    audience                           //iam.googleapis.com/projects/…/providers/…
    service_account_impersonation_url  of the service account to act as
    token_url                          https://sts.googleapis.com/v1/token unless set
    customer_id                        of the Workspace, for list_groups; "my_customer" unless set

The service account needs the rights to read groups, in the Workspace's Admin console.

A member counts while its status is ACTIVE, or where Google tells none: of people from
outside the Workspace.

https://cloud.google.com/iam/docs/workload-identity-federation-with-other-clouds
https://developers.google.com/workspace/admin/directory/v1/guides
"""

import json
import urllib.parse
from collections.abc import Iterator
from typing import Any

from sym.sdk.exceptions import GoogleError
from sym.sdk.integration import Integration
from sym.sdk.integrations import _aws, _lookup
from sym.sdk.integrations._http import Answer, Client, Request, quote, words_at
from sym.sdk.user import User

_SCOPES = [
    "https://www.googleapis.com/auth/admin.directory.group.readonly",
    "https://www.googleapis.com/auth/admin.directory.group.member.readonly",
]
_PAGE = 200
_GROUPS = "/admin/directory/v1/groups"


def is_user_in_group(user: User, *, group_email: str) -> bool:
    """Whether a user is an active member of a Google Group, directly or by a group in it.

    Args:
        user: whom to look for.
        group_email: the group's address, such as "sre@example.com".

    Raises:
        GoogleError: there is no such group (Google:NOT_FOUND), or Google can't be asked.

    Example:
        google.is_user_in_group(event.user, group_email="sre@example.com")
    """
    google, integration = _connect()
    group = f"{_GROUPS}/{quote(_lookup.needed('group_email', group_email))}"
    member = _lookup.identity(user, "google", integration) or user.email
    google.get(group, what=f"group {group_email}")
    answer = google.request("GET", f"{group}/hasMember/{quote(member)}", accept=(400, 404))
    # hasMember knows accounts of the Workspace only; others can be direct members too.
    if answer.status == 200 and google.object(answer).get("isMember") is not True:
        return False
    direct = google.find(f"{group}/members/{quote(member)}")
    if direct is not None:
        return _is_active(direct)
    # It doesn't tell whether they are active: only the list does, of indirect members.
    return answer.status == 200 and any(
        member.lower() in (str(one.get("email")).lower(), one.get("id")) and _is_active(one)
        for one in _members(google, group_email, indirect=True)
    )


def list_groups(domain: str | None = None) -> list[dict[str, Any]]:
    """Google Groups, as Google's Directory API has them.

    Args:
        domain: only groups of this domain. None: of all domains of the Workspace.

    Raises:
        GoogleError: Google can't be asked.

    Example:
        [FieldOption(value=g["email"], label=g["name"]) for g in google.list_groups()]
    """
    google, integration = _connect()
    customer = integration.settings.get("customer_id") or "my_customer"
    where = {"domain": domain} if domain else {"customer": customer}
    return list(_list(google, _GROUPS, "groups", where))


def users_in_group(group_email: str, *, include_indirect_members: bool = True) -> list[User]:
    """The active people in a Google Group, as our users. Groups in it are not in the list.

    Args:
        group_email: the group's address.
        include_indirect_members: whether the people of groups in it count too.

    Raises:
        GoogleError: there is no such group (Google:NOT_FOUND), or Google can't be asked.

    Example:
        approve_deny=user_ids(google.users_in_group("sre@example.com"))
    """
    google, _ = _connect()
    members = _members(google, _lookup.needed("group_email", group_email), include_indirect_members)
    people = (member for member in members if member.get("type") == "USER" and _is_active(member))
    return _lookup.users(GoogleError, (person.get("email") for person in people))


def _connect() -> tuple[Client, Integration]:
    integration = _lookup.integration("google")
    token = _access_token(integration)
    google = _client(integration, "https://admin.googleapis.com", token)
    return google, integration


def _client(integration: Integration, address: str, token: str = "", *, movable: bool = True) -> Client:
    return _lookup.client(
        GoogleError,
        integration,
        address,
        movable=movable,
        headers={"Authorization": f"Bearer {token}"} if token else {},
        secrets=(token,),
        words=words_at("error.message", "error_description"),
        meaning=_meaning,
        hints={
            400: "Check audience and service_account_impersonation_url of the integration, and what you pass.",
            401: f"Check audience and service_account_impersonation_url of integration {integration.name}.",
            403: f"Give the service account of integration {integration.name} the rights to read groups"
            " in the Workspace's Admin console, and enable the Admin SDK API in its project.",
        },
    )


def _access_token(integration: Integration) -> str:
    """A token for Google's APIs, for a request that AWS signed for us."""
    audience = _lookup.setting(GoogleError, integration, "audience")
    impersonation = integration.settings.get("service_account_impersonation_url")
    token = _post(
        integration,
        integration.settings.get("token_url") or "https://sts.googleapis.com/v1/token",
        {
            "audience": audience,
            "grantType": "urn:ietf:params:oauth:grant-type:token-exchange",
            "requestedTokenType": "urn:ietf:params:oauth:token-type:access_token",
            "scope": "https://www.googleapis.com/auth/cloud-platform" if impersonation else " ".join(_SCOPES),
            "subjectTokenType": "urn:ietf:params:aws:token-type:aws4_request",
            "subjectToken": _subject_token(audience),
        },
        "access_token",
    )
    if not impersonation:
        return token
    return _post(integration, impersonation, {"scope": _SCOPES, "lifetime": "600s"}, "accessToken", token)


def _subject_token(audience: str) -> str:
    """Who we are, for Google: a signed request to AWS that Google sends for us."""
    region = _aws.own_region()
    request = Request(
        "POST",
        f"https://sts.{region}.amazonaws.com?Action=GetCallerIdentity&Version=2011-06-15",
        {"x-goog-cloud-target-resource": audience},
        b"",
    )
    headers = _aws.sign(request, _aws.own_credentials(), region, "sts", _lookup.now())
    signed = {
        "url": request.url,
        "method": request.method,
        "headers": [{"key": key, "value": value} for key, value in headers.items()],
    }
    return urllib.parse.quote(json.dumps(signed))


def _post(integration: Integration, url: str, body: dict[str, Any], key: str, token: str = "") -> str:
    parts = urllib.parse.urlsplit(url)
    # api_url is the address of the directory, not of this.
    client = _client(integration, f"{parts.scheme}://{parts.netloc}", token, movable=False)
    answer = client.post(parts.path, body, repeatable=True)
    found = answer.get(key)
    if not found:
        raise GoogleError("BAD_ANSWER", f"{parts.netloc} gave no {key}.", f"Check the settings of {integration.name}.")
    return found


def _list(
    google: Client, path: str, key: str, params: dict[str, Any], *, what: str = ""
) -> Iterator[dict[str, Any]]:
    def following(page: Any, _: Answer, __: Any) -> dict[str, str] | None:
        return {"pageToken": page["nextPageToken"]} if page.get("nextPageToken") else None

    # Google leaves out the key of an empty list.
    return google.pages(path, {**params, "maxResults": _PAGE}, lambda page: page.get(key, []), following, what=what)


def _members(google: Client, group_email: str, indirect: bool) -> Iterator[dict[str, Any]]:
    derived = {"includeDerivedMembership": "true" if indirect else None}
    return _list(google, f"{_GROUPS}/{quote(group_email)}/members", "members", derived, what=f"group {group_email}")


def _is_active(member: dict[str, Any]) -> bool:
    return _lookup.active(member, "status", "ACTIVE")


def _meaning(answer: Answer) -> int:
    """Google says 403 for too many requests too."""
    if answer.status == 403 and any(
        reason in answer.body for reason in (b"rateLimitExceeded", b"userRateLimitExceeded", b"RATE_LIMIT_EXCEEDED")
    ):
        return 429
    return answer.status
