"""What a call needs to know: which integration it goes to, who a user is there, and
which of our users people there are.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, TypeVar

from sym.sdk import runtime
from sym.sdk.exceptions import (
    IdentityNotFound,
    MissingArgument,
    SDKError,
    ServiceException,
    SymException,
    SymIntegrationError,
)
from sym.sdk.integration import Integration
from sym.sdk.integrations._clock import Clock
from sym.sdk.user import User, user_from

if TYPE_CHECKING:
    from sym.sdk.integrations._http import Client

clock = Clock()

_AT_ONCE = 200  # addresses that Sym Flows looks up in one go

_Value = TypeVar("_Value")


def integration(service: str) -> Integration:
    """The integration of a service: the environment's, or else the strategy's own.

    Raises:
        SDKError: there is neither.
    """
    try:
        return runtime.integration(service)
    except SDKError as missing:
        event = runtime.current().event
        strategy = event.flow.strategy if event is not None else None
        if strategy and strategy.integration and service in (strategy.type, strategy.integration.type):
            return strategy.integration
        raise missing


def client(
    error: type[ServiceException], of: Integration, address: str, *, movable: bool = True, **options: Any
) -> "Client":
    """A client of an integration.

    Args:
        address: where its API is.
        movable: whether the setting api_url comes before address.
        options: more of Client's arguments.
    """
    from sym.sdk.integrations._http import Client  # only where others are asked: importing it takes long

    return Client(
        error=error,
        base_url=(movable and of.settings.get("api_url")) or address,
        name=of.name,
        remaining=runtime.remaining,
        clock=clock,
        **options,
    )


def setting(error: type[ServiceException], of: Integration, name: str) -> str:
    """A setting that an integration can't do without.

    Raises:
        ServiceException: of class error; it is missing.
    """
    value = of.settings.get(name)
    if not value:
        raise error("NOT_CONFIGURED", f"The integration {of.name} has no {name}.", f"Add {name} to its settings.")
    return str(value)


def host(error: type[ServiceException], of: Integration) -> str:
    """The external_id of an integration, where that is a domain, as https:// address."""
    domain = of.external_id.strip().removeprefix("https://").rstrip("/")
    if not domain or any(character in domain for character in "/?#@ "):
        raise error(
            "NOT_CONFIGURED",
            f"The external_id {of.external_id!r} of integration {of.name} is no domain.",
            "Set it to the domain where you sign in, without https://.",
        )
    return f"https://{domain}"


def identity(user: User, service: str, of: Integration) -> str | None:
    """Who a user is in the integration's system, as far as it is stored."""
    needed("user", user, User)
    found = user.identity(service, of.external_id)
    return found.user_id if found else None


def unknown(user: User, service: str, of: Integration) -> IdentityNotFound:
    """The error for a user whom nobody knows in the integration's system."""
    return IdentityNotFound(user.email, service, of.external_id)


def active(member: Mapping[str, Any], field: str, *values: object) -> bool:
    """Whether somebody counts as a member, by what the vendor says about them.

    Args:
        member: what the vendor says.
        field: where it says whether they are active.
        values: what it has there for those who are. Texts are compared in any case.

    Returns:
        True too if the vendor says nothing: not all of them, and not of everybody, do.
    """
    value = member.get(field)
    if isinstance(value, str):
        return value.lower() in (str(one).lower() for one in values)
    return value is None or value in values


def ask(error: type[ServiceException], op: str, **args: Any) -> Any:
    """Asks Sym Flows. What can't be done is an error of the module that asks, whatever
    part of us says so; wrong uses of the SDK stay what they are.
    """
    try:
        return runtime.services().ask(op, **args)
    except (error, SDKError):
        raise
    except SymException as refused:
        raise error(refused.name, refused.message, refused.hint) from refused


def by_email(error: type[ServiceException], emails: Iterable[str]) -> dict[str, User]:
    """Our users of some addresses, by address in lower case. New ones are made; who
    can't be a user is not there.
    """
    wanted = list(dict.fromkeys(email.lower() for email in emails))
    found: dict[str, User] = {}
    for start in range(0, len(wanted), _AT_ONCE):
        some = wanted[start : start + _AT_ONCE]
        answer = ask(error, "users_by_emails", emails=some)
        if not isinstance(answer, list) or len(answer) != len(some):
            raise _bad_users()
        found.update((email, found_users([one])[0]) for email, one in zip(some, answer) if one is not None)
    return found


def users(error: type[ServiceException], emails: Iterable[str | None]) -> list[User]:
    """Our users of some addresses, in this order and once each, as by_email has them."""
    found = by_email(error, [email.strip() for email in emails if email and email.strip()])
    return list({user.id: user for user in found.values()}.values())


def found_users(answer: Any) -> list[User]:
    """The users in an answer of Sym Flows. Raises SymIntegrationError if it has others."""
    try:
        return [user_from(one) for one in answer]
    except (KeyError, TypeError, ValueError, AttributeError):
        raise _bad_users() from None


def _bad_users() -> SymIntegrationError:
    return SymIntegrationError("BAD_ANSWER", "Sym Flows answered with something that is no list of users.")


def now() -> datetime:
    """The time, in UTC."""
    return datetime.fromtimestamp(clock.now(), timezone.utc)


def needed(name: str, value: _Value | None, kind: type | tuple[type, ...] = str) -> _Value:
    """An argument that must be there and of a type.

    Raises:
        MissingArgument: it is not.
    """
    if value is None or value == "" or not isinstance(value, kind) or isinstance(value, bool):
        raise MissingArgument(f"{name} is missing, or of a wrong type: {value!r}.", f"Pass {name}.")
    return value
