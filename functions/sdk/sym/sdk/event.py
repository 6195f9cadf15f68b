"""Events: what handlers are called with."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any

from sym.sdk.channel import Channel
from sym.sdk.exceptions import SDKError
from sym.sdk.flow import Flow
from sym.sdk.payload import Payload
from sym.sdk.resource import SRN, SymResource
from sym.sdk.run import Run
from sym.sdk.user import User


@dataclass(frozen=True)
class EventMeta:
    """About the form in which events are kept."""

    schema_version: int = 6
    """The version of the form of audit records."""


class Event(SymResource):
    """Something that happens in a run: what handlers are called with."""

    def __init__(
        self,
        *,
        name: str,
        payload: Payload,
        flow: Flow,
        run: Run,
        channel: Channel,
        user: User,
        srn: SRN | str = "",
        template: str = "sym:template:approval:1.0.0",
        meta: EventMeta | None = None,
    ) -> None:
        super().__init__(srn or f"sym:event-spec:approval:1.0.0:{name}")
        self._name = name
        self._payload = payload
        self._flow = flow
        self._run = run
        self._channel = channel
        self._user = user
        self._template = SymResource(template)
        self._meta = meta or EventMeta()

    @property
    def name(self) -> str:
        """What happens: "prompt", "request", "approve" and so on."""
        return self._name

    @property
    def payload(self) -> Payload:
        """What the event carries: its fields above all."""
        return self._payload

    @property
    def meta(self) -> EventMeta:
        """About the form in which events are kept."""
        return self._meta

    @property
    def template(self) -> SymResource:
        """The template of the flow: sym:template:approval:1.0.0."""
        return self._template

    @property
    def flow(self) -> Flow:
        """The flow."""
        return self._flow

    @property
    def run(self) -> Run:
        """The run."""
        return self._run

    @property
    def channel(self) -> Channel:
        """Where the event came from."""
        return self._channel

    @property
    def user(self) -> User:
        """Who caused the event. Of escalate, and of a deescalate whose time has
        come, that is who approved."""
        return self._user

    def get_actor(self, event_name: str | Enum) -> User:
        """Who caused an event of this run.

        Args:
            event_name: such as "request".

        Raises:
            SDKError: it has not happened in this run.

        Example:
            requester = event.get_actor("request")
        """
        name = event_name.value if isinstance(event_name, Enum) else event_name
        if name == self._name:
            return self._user
        actors = self._run.actors
        if name not in actors:
            raise SDKError(
                "NO_ACTOR", f"No {name} has happened in this run.",
                f"Ask for one of {', '.join(dict.fromkeys([*actors, self._name]))}.",
            )
        return actors[name]

    def get_context(self, event_name: str | Enum) -> dict[str, Any]:
        """What an API request brought along as its context.

        Args:
            event_name: such as "request".

        Returns:
            The context; empty if there is none, as for requests from Slack.

        Example:
            diff = event.get_context("request").get("diff", "")
        """
        name = event_name.value if isinstance(event_name, Enum) else event_name
        return self._run.contexts.get(name) or {}
