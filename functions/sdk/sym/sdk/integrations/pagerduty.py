"""Who is on call, and what is burning, by PagerDuty.

The integration (type `pagerduty`) has your PagerDuty domain, such as
"example.pagerduty.com", as external_id and a read-only API key as
api_token_secret. Users who were deleted don't count, though schedules still name them. An account in the EU also has `api_url: https://api.eu.pagerduty.com`.

https://developer.pagerduty.com/api-reference/
"""

from collections.abc import Iterator
from datetime import timedelta
from enum import Enum
from typing import Any

from sym.sdk.exceptions import PagerDutyError
from sym.sdk.integration import Integration
from sym.sdk.integrations import _lookup
from sym.sdk.integrations._http import Answer, Client, quote, words_at
from sym.sdk.user import User

_PAGE = 100
_OFFSETS = 10_000  # PagerDuty counts no further


class PagerDutyStatus(str, Enum):
    """How far an incident is."""

    TRIGGERED = "triggered"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"


class PagerDutyUrgency(str, Enum):
    """How urgent an incident is."""

    LOW = "low"
    HIGH = "high"


def is_on_call(
    user: User,
    *,
    escalation_policy_name: str | None = None,
    escalation_policy_id: str | None = None,
    schedule_name: str | None = None,
    schedule_id: str | None = None,
    escalation_level: int | None = None,
) -> bool:
    """Whether a user is on call now.

    Args:
        user: whom to look for.
        escalation_policy_name, escalation_policy_id: only for this policy. Names are
            compared as they are written.
        schedule_name, schedule_id: only for this schedule. Without any of the four:
            for whatever there is.
        escalation_level: only at this level of an escalation policy: who is on the first
            is called first. None: at any, the last among them, which is often a whole
            team that is always on call.

    Raises:
        PagerDutyError: there is no such policy or schedule (PagerDuty:NOT_FOUND), or
            PagerDuty can't be asked.
        IdentityNotFound: PagerDuty knows nobody with the user's stored identity or e-mail.

    Example:
        if pagerduty.is_on_call(event.user, escalation_policy_name="SRE", escalation_level=1):
            return ApprovalTemplate.approve(reason="On call")
    """
    level = _level(escalation_level)
    pagerduty, integration = _connect()
    where = _where(pagerduty, escalation_policy_name, escalation_policy_id, schedule_name, schedule_id)
    params = {**where, "user_ids[]": _user_id(pagerduty, integration, user), "include[]": "users"}
    on_calls = _list(pagerduty, "/oncalls", "oncalls", params)
    return any(_person(on_call) for on_call in on_calls if _at(level, on_call))


def users_on_call(
    *,
    escalation_policy_name: str | None = None,
    escalation_policy_id: str | None = None,
    schedule_name: str | None = None,
    schedule_id: str | None = None,
    escalation_level: int | None = None,
) -> list[User]:
    """Who is on call now, as our users, matched by e-mail; those of the first level
    first.

    Args: as of is_on_call.

    Raises:
        PagerDutyError: as of is_on_call.

    Example:
        return slack.group(pagerduty.users_on_call(escalation_policy_name="SRE", escalation_level=1))
    """
    level = _level(escalation_level)
    pagerduty, _ = _connect()
    where = _where(pagerduty, escalation_policy_name, escalation_policy_id, schedule_name, schedule_id)
    listed = _list(pagerduty, "/oncalls", "oncalls", {**where, "include[]": "users"})
    on_calls = [on_call for on_call in listed if _at(level, on_call)]
    on_calls.sort(key=lambda on_call: on_call.get("escalation_level") or 0)
    return _lookup.users(PagerDutyError, (_person(on_call).get("email") for on_call in on_calls))


def users_for_schedule(
    *, schedule_name: str | None = None, schedule_id: str | None = None, escalation_level: int | None = None
) -> list[User]:
    """All who are part of a schedule, on call now or not, as our users, matched by e-mail.

    Args:
        schedule_name, schedule_id: which schedule. One of them is needed.
        escalation_level: nobody, unless an escalation policy has the schedule at this
            level. None: whether and wherever policies have it.

    Raises:
        PagerDutyError: there is no such schedule (PagerDuty:NOT_FOUND), or PagerDuty
            can't be asked.
        MissingArgument: neither is given.

    Example:
        approve_deny=user_ids(pagerduty.users_for_schedule(schedule_name="Database"))
    """
    _lookup.needed("schedule_name or schedule_id", schedule_name or schedule_id)
    level = _level(escalation_level)
    pagerduty, _ = _connect()
    schedule_id = schedule_id or _id_of(pagerduty, "schedules", schedule_name or "")
    # Without since and until, PagerDuty tells only who is on call at this moment.
    schedule = pagerduty.get(f"/schedules/{quote(schedule_id)}", what=f"schedule {schedule_id}").get("schedule") or {}
    policies = schedule.get("escalation_policies") or []
    if level and not any(_has(pagerduty, policy["id"], level, schedule_id) for policy in policies):
        return []
    ids = [person["id"] for person in schedule.get("users") or [] if not person.get("deleted_at")]
    found = (pagerduty.find(f"/users/{quote(id)}") for id in dict.fromkeys(ids))
    return _lookup.users(PagerDutyError, (_person(one).get("email") for one in found if one))


def get_incidents(
    *,
    assignees: list[User] | None = None,
    service_ids: list[str] | None = None,
    statuses: list[PagerDutyStatus] | None = None,
    urgencies: list[PagerDutyUrgency] | None = None,
    since: str | None = None,
    until: str | None = None,
) -> list[dict[str, Any]]:
    """Incidents, as PagerDuty's Incidents API has them.

    Args:
        assignees: only those assigned to one of these users.
        service_ids: only those of these services.
        statuses: only with these. None: triggered and acknowledged. With assignees,
            resolved ones can't be asked for: nobody is assigned to them.
        urgencies: only with these. None: high.
        since: only from then on, in ISO 8601. None: of the last 24 hours.
        until: only up to then. None: what PagerDuty takes, a month after since.

    Raises:
        PagerDutyError: PagerDuty can't be asked, or not for these together.
        IdentityNotFound: PagerDuty does not know one of assignees.

    Example:
        for incident in pagerduty.get_incidents(service_ids=["PIJ90N7"]):
            print(incident["title"])
    """
    pagerduty, integration = _connect()
    params = _incident_params(pagerduty, integration, assignees, service_ids, statuses, urgencies, since, until)
    return list(_list(pagerduty, "/incidents", "incidents", params))


def has_incident(
    *,
    assignees: list[User] | None = None,
    service_ids: list[str] | None = None,
    statuses: list[PagerDutyStatus] | None = None,
    urgencies: list[PagerDutyUrgency] | None = None,
    since: str | None = None,
    until: str | None = None,
) -> bool:
    """Whether there is an incident.

    Args and Raises: as of get_incidents.

    Example:
        if pagerduty.has_incident(assignees=[event.user]):
            return ApprovalTemplate.approve(reason="Works on an incident")
    """
    pagerduty, integration = _connect()
    params = _incident_params(pagerduty, integration, assignees, service_ids, statuses, urgencies, since, until)
    return any(True for _ in _list(pagerduty, "/incidents", "incidents", {**params, "limit": 1}))


def _connect() -> tuple[Client, Integration]:
    integration = _lookup.integration("pagerduty")
    token = integration.secret("api_token_secret").retrieve_value()
    pagerduty = _lookup.client(
        PagerDutyError,
        integration,
        "https://api.pagerduty.com",
        headers={"Authorization": f"Token token={token}", "Accept": "application/vnd.pagerduty+json;version=2"},
        secrets=(token,),
        words=words_at("error.message", "error.errors"),
        hints={
            401: f"Check api_token_secret of integration {integration.name}; an account in the EU needs"
            " api_url: https://api.eu.pagerduty.com."
        },
    )
    return pagerduty, integration


def _list(pagerduty: Client, path: str, key: str, params: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """All items under key, by PagerDuty's offsets."""

    def following(page: Any, _: Answer, found: list[Any]) -> dict[str, int] | None:
        if not page.get("more") or not found:
            return None
        offset = page["offset"] + len(found)
        if offset >= _OFFSETS:
            raise PagerDutyError(
                "TOO_MANY", f"PagerDuty lists no more than {_OFFSETS} {key}.", "Ask for fewer: narrow what you look for."
            )
        return {"offset": offset}

    return pagerduty.pages(path, {"limit": _PAGE, **params}, lambda page: page[key], following)


def _where(
    pagerduty: Client, policy_name: str | None, policy_id: str | None, schedule_name: str | None, schedule_id: str | None
) -> dict[str, str | None]:
    if policy_id:
        pagerduty.get(f"/escalation_policies/{quote(policy_id)}", what=f"escalation policy {policy_id}")
    elif policy_name:
        policy_id = _id_of(pagerduty, "escalation_policies", policy_name)
    if schedule_id:
        pagerduty.get(f"/schedules/{quote(schedule_id)}", what=f"schedule {schedule_id}")
    elif schedule_name:
        schedule_id = _id_of(pagerduty, "schedules", schedule_name)
    return {"escalation_policy_ids[]": policy_id or None, "schedule_ids[]": schedule_id or None}


def _level(given: int | None) -> int | None:
    """The level that is asked for, from 1 on."""
    if given is not None and (isinstance(given, bool) or not isinstance(given, int) or given < 1):
        raise PagerDutyError(
            "BAD_ARGUMENT", f"{given!r} is no escalation level.", "Pass a number from 1 on, or leave it out for all levels."
        )
    return given


def _at(level: int | None, on_call: dict[str, Any]) -> bool:
    return level is None or on_call.get("escalation_level") == level


def _has(pagerduty: Client, policy_id: str, level: int, schedule_id: str) -> bool:
    """Whether an escalation policy has a schedule at a level: its rules are in the order
    of levels. One that is not there any more has none."""
    policy = (pagerduty.find(f"/escalation_policies/{quote(policy_id)}") or {}).get("escalation_policy") or {}
    rules = policy.get("escalation_rules") or []
    targets = rules[level - 1].get("targets") or [] if level <= len(rules) else []
    return any(target.get("id") == schedule_id for target in targets)


def _person(about: dict[str, Any]) -> dict[str, Any]:
    """The user in an answer; empty for one who was deleted."""
    person = about.get("user") or {}
    return {} if person.get("deleted_at") else person


def _id_of(pagerduty: Client, kind: str, name: str) -> str:
    for one in _list(pagerduty, f"/{kind}", kind, {"query": name}):
        if name in (one.get("name"), one.get("summary")):
            return one["id"]
    raise PagerDutyError(
        "NOT_FOUND",
        f"PagerDuty has no {kind.replace('_', ' ')} with the name {name!r}.",
        "Use the name as PagerDuty shows it, or the id.",
    )


def _user_id(pagerduty: Client, integration: Integration, user: User) -> str:
    stored = _lookup.identity(user, "pagerduty", integration)
    if stored:
        return stored
    for person in _list(pagerduty, "/users", "users", {"query": user.email}):
        if (person.get("email") or "").lower() == user.email.lower():
            return person["id"]
    raise _lookup.unknown(user, "pagerduty", integration)


def _incident_params(
    pagerduty: Client,
    integration: Integration,
    assignees: list[User] | None,
    service_ids: list[str] | None,
    statuses: list[PagerDutyStatus] | None,
    urgencies: list[PagerDutyUrgency] | None,
    since: str | None,
    until: str | None,
) -> dict[str, Any]:
    chosen = _values(PagerDutyStatus, statuses or [PagerDutyStatus.TRIGGERED, PagerDutyStatus.ACKNOWLEDGED])
    if assignees is not None and PagerDutyStatus.RESOLVED.value in chosen:
        raise PagerDutyError(
            "BAD_ARGUMENT", "Resolved incidents have no assignees.", "Leave out assignees, or PagerDutyStatus.RESOLVED."
        )
    if assignees is not None and not assignees:
        raise PagerDutyError("BAD_ARGUMENT", "assignees is empty.", "Pass users, or leave it out to ask for all.")
    return {
        "user_ids[]": [_user_id(pagerduty, integration, user) for user in assignees or []],
        "service_ids[]": service_ids or [],
        "statuses[]": chosen,
        "urgencies[]": _values(PagerDutyUrgency, urgencies or [PagerDutyUrgency.HIGH]),
        "since": since or (_lookup.now() - timedelta(days=1)).isoformat(timespec="seconds"),
        "until": until,
    }


def _values(kind: type[Enum], given: list[Any]) -> list[str]:
    """The values of enum members, or of texts that name one in any case."""
    try:
        return [kind(one.value if isinstance(one, Enum) else str(one).lower()).value for one in given]
    except ValueError:
        allowed = ", ".join(member.value for member in kind)
        raise PagerDutyError("BAD_ARGUMENT", f"{given!r} has a value that is unknown.", f"Use {allowed}.") from None
