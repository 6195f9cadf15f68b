"""An event in the form of its audit record, for those whom handlers hand it to."""

from dataclasses import asdict, is_dataclass
from datetime import datetime
from enum import Enum
from typing import Any
from uuid import UUID

from sym.sdk.access_target import AccessTarget
from sym.sdk.event import Event
from sym.sdk.user import User


def record(event: Event) -> dict[str, Any]:
    """The event, JSON-ready, in the form in which aws_lambda strategies get it. It is
    still being handled, so its state is "processing", and it has no id yet.
    """
    return {
        "type": "event",
        "meta": {"schema_version": event.meta.schema_version},
        "state": {"status": "processing", "errors": []},
        "run": {
            "srn": str(event.run),
            "flow": str(event.flow),
            "actors": {name: _actor(user) for name, user in event.run.actors.items()},
        },
        "event": {
            "srn": str(event),
            "type": event.name,
            "template": str(event.template),
            "timestamp": _plain(event.payload.timestamp),
            "channel": event.channel.type,
        },
        "actor": _actor(event.user),
        "fields": _plain(event.payload.fields),
    }


def _actor(user: User) -> dict[str, Any]:
    actor = {"user": str(user.srn), "name": user.name, "username": user.username}
    if slack := user.identity("slack"):
        actor["identity"] = {"service": "slack", "external_id": slack.service_id, "user_id": slack.user_id}
    return actor


def _plain(value: Any) -> Any:
    """A field's value, JSON-ready."""
    if isinstance(value, AccessTarget):
        return {
            "name": value.name, "srn": str(value), "type": value.type, "label": value.label, "settings": value.settings,
        }
    if isinstance(value, dict):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, UUID):
        return str(value)
    if is_dataclass(value) and not isinstance(value, type):
        return _plain(asdict(value))
    return value
