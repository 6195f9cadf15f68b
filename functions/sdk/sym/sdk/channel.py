"""Where an event came from."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Channel:
    """Where an event came from."""

    type: str
    """"slack" (a person in Slack), "sym" (a program, by API), "sdk" (a hook) or
    "internal" (ourselves, when a time is over)."""

    identifier: str | None = None
    """Slack's id of the channel; None if there is none, as for a shortcut."""
