"""From the objects of sym.sdk to messages of the protocol: the way back of
sym.run.wire, for tests of handlers."""

from __future__ import annotations

from typing import Any

from sym.run.values import form
from sym.sdk.access_target import AccessTarget
from sym.sdk.channel import Channel
from sym.sdk.event import Event
from sym.sdk.flow import Environment, Flow
from sym.sdk.forms import SymPromptForm
from sym.sdk.integration import Integration
from sym.sdk.request_destination import to_wire
from sym.sdk.request_forward_context import RequestForwardContext
from sym.sdk.run import Agent
from sym.sdk.secret import Secret
from sym.sdk.strategy import Strategy
from sym.sdk.user import User

Wire = dict[str, Any]


def event(
    event: Event,
    step_outputs: dict[str, Any] | None = None,
    forward: RequestForwardContext | None = None,
) -> Wire:
    """An Event, with what the protocol has beside it."""
    fields = event.payload.fields
    found = fields.pop("target", None)
    wire = {
        "name": event.name,
        "srn": str(event),
        "timestamp": event.payload.timestamp.isoformat(),
        "template": str(event.template),
        "meta": {"schema_version": event.meta.schema_version},
        "channel": channel(event.channel),
        "user": user(event.user),
        "fields": fields,
        "target": target(found) if found else None,
        "run": {
            "id": event.run.id,
            "srn": str(event.run),
            "actors": {name: user(actor) for name, actor in event.run.actors.items()},
            "contexts": event.run.contexts,
            "source_channel": channel(event.run.source_channel) if event.run.source_channel else None,
            "agent": agent(event.run.agent) if event.run.agent else None,
        },
        "flow": flow(event.flow),
        "step_outputs": dict(step_outputs or {}),
    }
    if forward:
        wire["forward"] = {
            "all_request_destinations": [to_wire(d) for d in forward.all_request_destinations],
            "current_destination_index": forward.current_destination_index,
            "next_destination_index": forward.next_destination_index,
        }
    return wire


def channel(channel: Channel) -> Wire:
    """A Channel."""
    return {"type": channel.type, "identifier": channel.identifier}


def agent(agent: Agent) -> Wire:
    """An Agent."""
    return {"user": user(agent.user), "owner": user(agent.owner), "purpose": agent.purpose}


def user(user: User) -> Wire:
    """A User."""
    return {
        "id": str(user.id),
        "srn": str(user.srn),
        "email": user.email,
        "username": user.username,
        "name": user.name,
        "first_name": user.first_name,
        "last_name": user.last_name,
        "type": user.type.value,
        "role": user.role.value,
        "agent": user.is_agent,
        "identities": [vars(identity) for identity in user.identities],
    }


def flow(flow: Flow) -> Wire:
    """A Flow."""
    return {
        "name": flow.name,
        "srn": str(flow),
        "label": flow.label,
        "vars": flow.vars,
        "fields": [{"name": name, **field} for name, field in flow.fields.items()],
        "environment": environment(flow.environment),
        "strategy": strategy(flow.strategy) if flow.strategy else None,
    }


def environment(environment: Environment) -> Wire:
    """An Environment."""
    return {
        "name": environment.name,
        "integrations": {service: integration(i) for service, i in environment.integrations.items()},
    }


def strategy(strategy: Strategy) -> Wire:
    """A Strategy."""
    return {
        "id": strategy.id,
        "srn": str(strategy),
        "type": strategy.type,
        "name": strategy.name,
        "label": strategy.label,
        "integration": integration(strategy.integration) if strategy.integration else None,
        "targets": [target(t) for t in strategy.targets],
        "settings": strategy.settings,
    }


def target(target: AccessTarget) -> Wire:
    """An AccessTarget."""
    return {
        "id": target.id,
        "srn": str(target),
        "name": target.name,
        "label": target.label,
        "type": target.type,
        "settings": target.settings,
    }


def integration(integration: Integration) -> Wire:
    """An Integration."""
    settings = integration.settings
    del settings["secrets"]
    return {
        "name": integration.name,
        "srn": str(integration),
        "type": integration.type,
        "external_id": integration.external_id,
        "settings": {name: value for name, value in settings.items() if not isinstance(value, Secret)},
        "secrets": {name: secret(value) for name, value in settings.items() if isinstance(value, Secret)},
    }


def secret(secret: Secret) -> Wire:
    """A Secret."""
    return {"id": secret.id, "name": secret.name, "path": secret.path, "source": secret.source, "settings": secret.settings}


def prompt_form(filled: SymPromptForm) -> Wire:
    """A SymPromptForm."""
    return form("form", filled)
