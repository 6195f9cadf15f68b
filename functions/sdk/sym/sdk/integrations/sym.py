"""Users of Sym Flows itself."""

from typing import Any

from sym.sdk.exceptions import SymIntegrationError
from sym.sdk.integrations import _lookup
from sym.sdk.user import User


def get_or_create_user_by_email(email: str) -> User:
    """The user with an e-mail address; made if there is none yet.

    Args:
        email: the address, in any case.

    Raises:
        SymIntegrationError: it is no address, or the user can't be found or made.

    Example:
        approve_deny=user_ids([sym.get_or_create_user_by_email("lead@example.com")])
    """
    _check(email)
    answer = _lookup.ask(SymIntegrationError, "user_by_email", email=email.strip(), create=True)
    return _lookup.found_users([answer])[0]


def get_or_create_users_by_emails(emails: list[str], raise_on_error: bool = False) -> list[User]:
    """The users with some e-mail addresses, in the same order; made if there are none yet.

    Args:
        emails: the addresses, in any case.
        raise_on_error: whether a text that is no address is an error. If not, it is left
            out, and said in the handler's output.

    Raises:
        SymIntegrationError: emails is no list of texts; one is no address, with
            raise_on_error; or we can't be asked.

    Example:
        leads = sym.get_or_create_users_by_emails(event.flow.vars["leads"].split(","))
    """
    if isinstance(emails, str) or not all(isinstance(email, str) for email in emails):
        raise SymIntegrationError("INVALID_EMAIL", "emails is no list of texts.", 'Pass a list, such as ["a@example.com"].')
    wanted = [email.strip() for email in emails]
    found = _lookup.by_email(SymIntegrationError, [email for email in wanted if _is_email(email)])
    bad = [email for email in wanted if email.lower() not in found]
    if bad and raise_on_error:
        raise SymIntegrationError("INVALID_EMAIL", f"No users: {', '.join(map(repr, bad))}.", "Correct the addresses.")
    for email in bad:
        print(f"sym.get_or_create_users_by_emails: there is no user {email!r}")
    return [found[email.lower()] for email in wanted if email.lower() in found]


def _check(email: Any) -> None:
    if not isinstance(email, str) or not _is_email(email.strip()):
        raise SymIntegrationError("INVALID_EMAIL", f"{email!r} is no e-mail address.", "Pass one such as a@example.com.")


def _is_email(text: str) -> bool:
    name, at, domain = text.rpartition("@")
    return bool(name and at and domain) and not any(character.isspace() for character in text)
