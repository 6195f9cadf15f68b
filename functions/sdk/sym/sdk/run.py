"""Runs: one trip through a flow each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Mapping

from sym.sdk.channel import Channel
from sym.sdk.resource import SRN, SymResource
from sym.sdk.user import User


@dataclass(frozen=True)
class Agent:
    """A program that asked for a person. It decides nothing, and neither does that person
    about what it asked for; a handler may."""

    user: User
    """The agent: a user of type "bot", whose name is the agent's."""

    owner: User
    """The person who answers for it, and for whom it asks."""

    purpose: str = ""
    """What the agent says it asks for that for. It is the agent's own word: a text for
    people, which proves nothing."""


class Run(SymResource):
    """One trip through a flow, from the form to the end of access."""

    def __init__(
        self,
        *,
        srn: SRN | str,
        id: str = "",
        actors: Mapping[str, User] | None = None,
        contexts: Mapping[str, dict[str, Any]] | None = None,
        source_channel: Channel | None = None,
        agent: Agent | None = None,
    ) -> None:
        super().__init__(srn)
        self._id = id
        self._actors = dict(actors or {})
        self._contexts = dict(contexts or {})
        self._source_channel = source_channel
        self._agent = agent

    @property
    def id(self) -> str:
        """The run's id: the last part of its SRN."""
        return self._id or self.srn.identifier or ""

    @property
    def actors(self) -> dict[str, User]:
        """Who caused each event so far, by the event's name."""
        return dict(self._actors)

    @property
    def contexts(self) -> dict[str, dict[str, Any]]:
        """What API requests brought along, by the event's name."""
        return dict(self._contexts)

    @property
    def source_channel(self) -> Channel | None:
        """Where the run was started; None if nowhere in Slack."""
        return self._source_channel

    @property
    def agent(self) -> Agent | None:
        """The agent that asked; None if none did.

        Example:
            if event.run.agent and event.payload.fields["target"].name == "payroll-db":
                return ApprovalTemplate.deny(reason="Not for agents.")
        """
        return self._agent
