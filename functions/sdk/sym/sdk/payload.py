"""What an event carries."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Mapping

from sym.sdk.resource import SRN, SymResource
from sym.sdk.user import User


class Payload(SymResource):
    """What an event carries: when, by whom, and what was filled in."""

    def __init__(
        self,
        *,
        srn: SRN | str,
        timestamp: datetime,
        user: User,
        fields: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(srn)
        self._timestamp = timestamp
        self._user = user
        self._fields = dict(fields or {})

    @property
    def timestamp(self) -> datetime:
        """When the event was triggered, with its time zone."""
        return self._timestamp

    @property
    def user(self) -> User:
        """Who triggered it."""
        return self._user

    @property
    def fields(self) -> dict[str, Any]:
        """Prompt fields by name, and these: target (AccessTarget) and target_id,
        duration (seconds), decision_message, and what a hook added, such as reason."""
        return dict(self._fields)
