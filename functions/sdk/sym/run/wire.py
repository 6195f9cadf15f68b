"""From messages of the protocol to the objects of sym.sdk.

Fields that are missing get what a thing without them has; fields that we don't
know are passed over. So either side can be newer than the other.
"""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any, Mapping

from sym.sdk import request_destination
from sym.sdk.access_target import AccessTarget
from sym.sdk.channel import Channel
from sym.sdk.event import Event, EventMeta
from sym.sdk.flow import Environment, Flow
from sym.sdk.forms import FieldOption, PromptField, SlackUserSelection, SymPromptForm
from sym.sdk.integration import Integration
from sym.sdk.payload import Payload
from sym.sdk.request_forward_context import RequestForwardContext
from sym.sdk.run import Agent, Run
from sym.sdk.secret import Secret
from sym.sdk.strategy import Strategy
from sym.sdk.user import user_from

Wire = Mapping[str, Any]


def event(wire: Wire) -> Event:
    """An Event. Raises KeyError, TypeError or ValueError if wire does not describe one."""
    actor = user_from(wire["user"])
    fields = dict(wire.get("fields") or {})
    if wire.get("target"):
        fields["target"] = target(wire["target"])
        fields.setdefault("target_id", fields["target"].id)
    srn = wire.get("srn") or ""
    run = wire.get("run") or {}
    return Event(
        name=wire["name"],
        srn=srn,
        template=wire.get("template") or "sym:template:approval:1.0.0",
        meta=EventMeta(**{"schema_version": int(v) for v in [(wire.get("meta") or {}).get("schema_version")] if v}),
        user=actor,
        payload=Payload(srn=srn, timestamp=moment(wire.get("timestamp")), user=actor, fields=fields),
        channel=channel(wire.get("channel")) or Channel("internal"),
        run=Run(
            srn=run.get("srn") or "",
            id=run.get("id") or "",
            actors={name: user_from(actor) for name, actor in (run.get("actors") or {}).items()},
            contexts=run.get("contexts") or {},
            source_channel=channel(run.get("source_channel")),
            agent=agent(run.get("agent")),
        ),
        flow=flow(wire["flow"]),
    )


def agent(wire: Wire | None) -> Agent | None:
    """An Agent, or None."""
    if not wire:
        return None
    return Agent(user_from(wire["user"]), user_from(wire["owner"]), wire.get("purpose") or "")


def moment(text: str | None) -> datetime:
    """A moment in RFC 3339; the epoch if there is none."""
    if not text:
        return datetime.fromtimestamp(0, timezone.utc)
    when = datetime.fromisoformat(text)
    return when if when.tzinfo else when.replace(tzinfo=timezone.utc)


def channel(wire: Wire | None) -> Channel | None:
    """A Channel, or None."""
    return Channel(wire["type"], wire.get("identifier") or None) if wire else None


def flow(wire: Wire) -> Flow:
    """A Flow."""
    return Flow(
        srn=wire.get("srn") or "",
        name=wire["name"],
        label=wire.get("label") or "",
        fields={field["name"]: field for field in wire.get("fields") or ()},
        vars=wire.get("vars"),
        environment=environment(wire.get("environment")),
        strategy=strategy(wire["strategy"]) if wire.get("strategy") else None,
    )


def environment(wire: Wire | None) -> Environment:
    """An Environment; an empty one for None."""
    wire = wire or {}
    return Environment(
        name=wire.get("name") or "",
        integrations={service: integration(i) for service, i in (wire.get("integrations") or {}).items()},
    )


def strategy(wire: Wire) -> Strategy:
    """A Strategy."""
    return Strategy(
        srn=wire.get("srn") or "",
        type=wire.get("type") or "",
        id=wire.get("id") or "",
        name=wire.get("name") or "",
        label=wire.get("label") or "",
        integration=integration(wire["integration"]) if wire.get("integration") else None,
        targets=[target(t) for t in wire.get("targets") or ()],
        settings=wire.get("settings"),
    )


def target(wire: Wire) -> AccessTarget:
    """An AccessTarget."""
    return AccessTarget(
        srn=wire.get("srn") or "",
        type=wire.get("type") or "",
        name=wire.get("name") or "",
        label=wire.get("label") or "",
        id=wire.get("id") or "",
        settings=wire.get("settings"),
    )


def integration(wire: Wire) -> Integration:
    """An Integration."""
    return Integration(
        srn=wire.get("srn") or "",
        type=wire.get("type") or "",
        name=wire.get("name") or "",
        external_id=wire.get("external_id") or "",
        settings=wire.get("settings"),
        secrets={setting: secret(s) for setting, s in (wire.get("secrets") or {}).items()},
    )


def secret(wire: Wire) -> Secret:
    """A Secret."""
    return Secret(
        id=wire.get("id") or "",
        name=wire.get("name") or "",
        path=wire["path"],
        srn=wire.get("srn") or "",
        source=wire.get("source") or "aws_secrets_manager",
        settings=wire.get("settings"),
    )


def forward_context(wire: Wire | None) -> RequestForwardContext:
    """A RequestForwardContext; destinations of kinds we don't know are left out."""
    wire = wire or {}
    found = [request_destination.from_wire(d) for d in wire.get("all_request_destinations") or ()]
    return RequestForwardContext(
        all_request_destinations=[d for d in found if d],
        current_destination_index=wire.get("current_destination_index") or 0,
        next_destination_index=wire.get("next_destination_index"),
    )


def form(wire: Wire) -> SymPromptForm:
    """A SymPromptForm."""
    fields = [_prompt_field(field) for field in wire.get("fields") or ()]
    return SymPromptForm(
        fields={field.name: field for field in fields},
        flow_vars=wire.get("flow_vars"),
        additional_header_text=wire.get("additional_header_text"),
    )


def _prompt_field(wire: Wire) -> PromptField:
    value = wire.get("value")
    if wire["type"] == "slack_user" and value:
        value = _selection(value)
    if wire["type"] == "slack_user_list" and value:
        value = [_selection(v) for v in value]
    return PromptField(
        name=wire["name"],
        type=wire["type"],
        value=value,
        label=wire.get("label"),
        required=bool(wire.get("required", True)),
        visible=bool(wire.get("visible", True)),
        current_allowed_values=_options(wire.get("current_allowed_values")),
        original_allowed_values=_options(wire.get("original_allowed_values")),
    )


def _selection(value: Any) -> SlackUserSelection:
    if isinstance(value, str):
        return SlackUserSelection(value)
    return SlackUserSelection(value["user_id"], value.get("username"))


def _options(wire: Any) -> list[FieldOption] | None:
    if wire is None:
        return None
    return [_option(o["value"], o.get("label")) if isinstance(o, Mapping) else _option(o, None) for o in wire]


def _option(value: Any, label: str | None) -> FieldOption:
    """An option as it is: the limits are for what handlers make, and labels of
    targets may be longer."""
    option = object.__new__(FieldOption)
    vars(option).update(value=value, label=label or str(value))
    return option
