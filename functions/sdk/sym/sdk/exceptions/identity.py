"""Errors of identities: who a user is in another system."""

from sym.sdk.exceptions.sym_exception import ServiceException


class IdentityError(ServiceException):
    """An identity can't be found, read or saved."""

    service = "Identity"


class IdentityNotFound(IdentityError):
    """Who a user is in a system could not be found: neither in what is stored, nor by
    the flow's code, nor by a look-up by e-mail.

    Args:
        email: the user's e-mail address.
        service: type of the system, such as "okta".
        external_id: which one of that type, such as "example.okta.com".
    """

    def __init__(self, email: str, service: str, external_id: str) -> None:
        super().__init__(
            "NOT_FOUND",
            f"We don't know who {email} is in {service} ({external_id}).",
            "Save an identity with sym.sdk.utils.persist_user_identity, or return one from the"
            " get_identity reducer (fetch_remote_identity in a custom strategy).",
        )
