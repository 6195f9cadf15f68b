"""The class that custom strategies extend."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, final

from sym.sdk.event import Event
from sym.sdk.exceptions import AccessStrategyError, IdentityNotFound
from sym.sdk.integration import Integration
from sym.sdk.user import User
from sym.sdk.utils import persist_user_identity


class AccessStrategy(ABC):
    """Grants access in a system that Sym Flows knows nothing of, and takes it away.

    Methods must bear repeating: they are called again if an answer was lost. What
    they return must be JSON-ready; what escalate returns is kept, and deescalate
    finds it with get_step_output(ApprovalTemplateStep.ESCALATE). To fail, raise.

    Example:
        class Tickets(AccessStrategy):
            def fetch_remote_identity(self, user):
                return user.email

            def escalate(self, target_id, event):
                return {"grant": add(self.get_requester_identity(event), target_id)}

            def deescalate(self, target_id, event):
                remove(get_step_output(ApprovalTemplateStep.ESCALATE)["grant"])
    """

    @final
    def __init__(self, integration: Integration) -> None:
        self.integration = integration
        """The strategy's integration, with its settings and secrets."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        for name in ("__init__", "get_requester_identity"):
            if name in vars(cls):
                raise AccessStrategyError(
                    "FINAL_METHOD",
                    f"{cls.__name__} may not define {name}.",
                    "Give the method another name, and call it.",
                )

    @abstractmethod
    def fetch_remote_identity(self, user: User) -> str | None:
        """Finds out who a user is in the system.

        Args:
            user: a user about whom nothing is stored for this integration.

        Returns:
            The user's id there, which is stored then; None if there is no such user.
        """

    @abstractmethod
    def escalate(self, target_id: str, event: Event) -> dict[str, Any] | None:
        """Grants access.

        Args:
            target_id: id of the target; its settings are in event.payload.fields["target"].
            event: the event, "escalate".

        Returns:
            What to keep for deescalate, JSON-ready; or None.
        """

    @abstractmethod
    def deescalate(self, target_id: str, event: Event) -> dict[str, Any] | None:
        """Takes access away. It is a success too if there is none any more.

        Args:
            target_id: id of the target; its settings are in event.payload.fields["target"].
            event: the event, "deescalate".

        Returns:
            What to keep, JSON-ready; or None.
        """

    @final
    def get_requester_identity(self, event: Event) -> str:
        """Who the requester is in the system: what is stored, or else what
        fetch_remote_identity finds, which is stored then.

        Args:
            event: the event that escalate or deescalate was called with.

        Raises:
            IdentityNotFound: fetch_remote_identity found nobody.
            AccessStrategyError: it returned something that is no id.
        """
        return self._identity_of(event.get_actor("request"))

    @final
    def _identity_of(self, user: User) -> str:
        service, service_id = self.integration.type, self.integration.external_id
        stored = user.identity(service, service_id)
        if stored:
            return stored.user_id
        found = self.fetch_remote_identity(user)
        if found is not None and not isinstance(found, str):
            raise AccessStrategyError(
                "INVALID_IDENTITY",
                f"fetch_remote_identity returned {found!r}.",
                "Return a text, or None.",
            )
        if not found:
            raise IdentityNotFound(user.email, service, service_id)
        persist_user_identity(email=user.email, service=service, service_id=service_id, user_id=found)
        return found
