"""What hooks of request_forward get beside the event."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Sequence

from sym.sdk.request_destination import RequestDestination


@dataclass(frozen=True)
class RequestForwardContext:
    """Where a request was, and where it goes next.

    Example:
        @hook
        def after_request_forward(event, context):
            if context.next_destination_index is None:
                slack.send_message(event.get_actor("request"), "Nobody has answered.")
    """

    all_request_destinations: Sequence[RequestDestination]
    """All destinations, in their order."""

    current_destination_index: int
    """Position of the one that it leaves, from 0."""

    next_destination_index: int | None = None
    """Position of the one that it goes to, from 0; None if there is none left."""
