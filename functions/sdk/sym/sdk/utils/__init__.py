"""Small helpers for handlers."""

from sym.sdk import runtime
from sym.sdk.exceptions import CouldNotSaveError
from sym.sdk.user import UserIdentity


def persist_user_identity(*, email: str, service: str, service_id: str, user_id: str) -> UserIdentity:
    """Stores who the requester is in a system, in place of what was stored before, so
    that user.identity(service, service_id) knows it from the next event on.

    Args:
        email: the requester's e-mail address.
        service: type of the system, such as "okta", or "custom": that of an integration
            of the flow's environment or strategy.
        service_id: which one of that type: the integration's external_id.
        user_id: the user there.

    Returns:
        What was stored.

    Raises:
        CouldNotSaveError: an argument is empty.
        IdentityError: it is somebody else's identity, or one in a system that the flow
            has no integration for.
        SymException: it could not be stored.

    Example:
        persist_user_identity(email=user.email, service="custom", service_id="victorops", user_id="alice")
    """
    for name, value in [("email", email), ("service", service), ("service_id", service_id), ("user_id", user_id)]:
        if not value or not isinstance(value, str):
            raise CouldNotSaveError("EMPTY_ARGUMENT", f"An identity needs {name}.", "Pass a text that is not empty.")
    runtime.services().ask("save_identity", email=email, service=service, service_id=service_id, user_id=user_id)
    return UserIdentity(service=service, service_id=service_id, user_id=user_id)
