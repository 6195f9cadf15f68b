"""Tests of handlers, with unittest or pytest, without any server.

    import unittest
    import unittest.mock
    from sym.sdk import testing

    class ProdAccess(unittest.TestCase):
        policy = testing.Policy.of_file("flows/impl.py")

        def test_on_call_is_approved(self):
            event = testing.event("request", fields={"reason": "Disk full"}, vars={"channel": "#access"})
            with unittest.mock.patch("sym.sdk.integrations.pagerduty.is_on_call", return_value=True):
                outcome = self.policy.handle(event)
            self.assertEqual(outcome.decision, "approve")

Handlers are run by the same code as in production, in the process of the test. What
they ask of Sym Flows is answered by FakeServices; functions that talk to other systems
are replaced with unittest.mock.patch.
"""

from __future__ import annotations

import uuid
import warnings
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from types import ModuleType
from typing import Any, Iterable, Iterator, Mapping

from sym.run import calls, encode, faults, source, wire
from sym.sdk import runtime
from sym.sdk.access_target import AccessTarget
from sym.sdk.channel import Channel
from sym.sdk.event import Event
from sym.sdk.exceptions import SymException, SymIntegrationError
from sym.sdk.flow import Environment, Flow
from sym.sdk.forms import SymPromptForm
from sym.sdk.integration import Integration
from sym.sdk.payload import Payload
from sym.sdk.request_forward_context import RequestForwardContext
from sym.sdk.run import Agent, Run
from sym.sdk.secret import Secret
from sym.sdk.services import Services
from sym.sdk.strategy import Strategy
from sym.sdk.user import User, UserIdentity

__all__ = [
    "FakeServices",
    "HandlerFailed",
    "Outcome",
    "Policy",
    "agent",
    "custom_strategy",
    "event",
    "integration",
    "running",
    "target",
    "user",
]

_NOW = datetime(2024, 1, 1, 12, tzinfo=timezone.utc)


def user(
    email: str = "alice@example.com",
    *,
    role: str = "member",
    type: str = "normal",
    first_name: str = "",
    last_name: str = "",
    identities: Iterable[UserIdentity] | Mapping[str, str] = (),
) -> User:
    """A user. The same address makes the same user.

    Args:
        email: the user's e-mail address.
        role: "admin", "member" or "guest".
        type: "normal" or "bot".
        first_name: first name.
        last_name: last name.
        identities: who the user is in other systems; a mapping from services to ids
            will do.

    Example:
        testing.user("bob@example.com", role="admin", identities={"slack": "U012AB3CD"})
    """
    if isinstance(identities, Mapping):
        identities = [UserIdentity(service, "", id) for service, id in identities.items()]
    return User(
        id=uuid.uuid5(uuid.NAMESPACE_URL, f"mailto:{email.lower()}"), email=email, role=role, type=type,
        first_name=first_name, last_name=last_name, identities=list(identities),
    )


def agent(name: str = "helper", *, owner: User | None = None, purpose: str = "") -> Agent:
    """An agent.

    Args:
        name: its name.
        owner: the person who answers for it; alice@example.com, if None.
        purpose: what it says it asks for that for.

    Example:
        testing.event("request", agent=testing.agent(purpose="Find out why order 42 is stuck"))
    """
    owner = owner or user()
    id = uuid.uuid5(uuid.NAMESPACE_URL, f"agent:{name.lower()} of {owner.email.lower()}")
    return Agent(
        User(id=id, srn=f"sym:user:agent:{id}:latest", email="", username=name, name=name, type="bot", is_agent=True),
        owner, purpose,
    )


def target(name: str, *, type: str = "custom", label: str = "", **settings: Any) -> AccessTarget:
    """A target.

    Args:
        name: its name in the configuration.
        type: its type.
        label: what people see.
        settings: its settings.

    Example:
        testing.target("orders-db", identifier="orders")
    """
    return AccessTarget(
        id=str(uuid.uuid5(uuid.NAMESPACE_URL, f"target:{name}")), srn=f"sym:access_target:{type}:{name}:latest",
        name=name, type=type, label=label, settings=settings,
    )


def integration(
    type: str, *, external_id: str = "", secrets: Iterable[str] = (), name: str = "", **settings: Any
) -> Integration:
    """An integration.

    Args:
        type: such as "pagerduty" or "custom".
        external_id: which one of that type.
        secrets: names of its settings that are secrets. Their values come from
            FakeServices.secrets, by these names.
        name: its name in the configuration.
        settings: its other settings.

    Example:
        testing.integration("custom", external_id="victorops", secrets=["api_key"])
    """
    return Integration(
        type=type, external_id=external_id, name=name, settings=settings,
        secrets={setting: Secret(path=setting, name=setting) for setting in secrets},
    )


def custom_strategy(*targets: AccessTarget, integration: Integration | None = None, name: str = "strategy") -> Strategy:
    """A strategy of type custom.

    Args:
        targets: its targets.
        integration: its integration; one of type custom, if None.
        name: its name in the configuration.
    """
    return Strategy(
        srn=f"sym:access_strategy:custom:{name}:latest", type="custom", name=name, targets=targets,
        integration=integration or Integration(type="custom", external_id=name),
    )


def event(
    name: str = "request",
    *,
    user: User | None = None,
    requester: User | None = None,
    fields: Mapping[str, Any] | None = None,
    target: AccessTarget | None = None,
    strategy: Strategy | None = None,
    vars: Mapping[str, str] | None = None,
    integrations: Mapping[str, Integration] | None = None,
    actors: Mapping[str, User] | None = None,
    context: Mapping[str, Any] | None = None,
    agent: Agent | None = None,
    channel: Channel | None = None,
    flow: str = "prod-access",
    timestamp: datetime = _NOW,
) -> Event:
    """An event.

    Args:
        name: "prompt", "request", "approve" and so on.
        user: who caused it; alice@example.com, if None.
        requester: who requested, if that is somebody else.
        fields: prompt fields by name; duration is seconds.
        target: the target that was chosen.
        strategy: the flow's strategy; None for an approval-only flow, or, if there is a
            target, a custom one with that target.
        vars: the flow's vars.
        integrations: the environment's integrations by service.
        actors: who caused earlier events, by their names.
        context: what an API request brought along.
        agent: which agent asked, for its owner; None if none did.
        channel: where it came from; Slack, if None, or the API for what an agent asks.
        flow: the flow's name.
        timestamp: when it was triggered.

    Example:
        event = testing.event("approve", user=bob, requester=alice, fields={"decision_message": "ok"})
    """
    channel = channel or (Channel("sym") if agent else Channel("slack", "C012AB3CD"))
    if agent and name in ("prompt", "request"):
        user = user or agent.user
    actor = user or globals()["user"]()
    asker = requester or (actors or {}).get("request") or (agent.owner if agent else actor)
    known = {"prompt": asker, "request": asker} if name != "prompt" else {}
    run_id = str(uuid.uuid5(uuid.NAMESPACE_URL, f"run:{flow}"))
    srn = f"sym:event-spec:approval:1.0.0:{name}"
    chosen = {"target": target, "target_id": target.id} if target else {}
    return Event(
        name=name,
        srn=srn,
        user=actor,
        channel=channel,
        payload=Payload(srn=srn, timestamp=timestamp, user=actor, fields={**(fields or {}), **chosen}),
        run=Run(
            srn=f"sym:run:{flow}:1.0.0:{run_id}",
            id=run_id,
            actors={**known, **(actors or {}), name: actor},
            contexts={"request": dict(context)} if context else {},
            source_channel=channel if channel.type == "slack" else None,
            agent=agent,
        ),
        flow=Flow(
            srn=f"sym:flow:{flow}:1.0.0",
            name=flow,
            vars=vars,
            environment=Environment(name="test", integrations=integrations),
            strategy=strategy or (custom_strategy(target) if target else None),
        ),
    )


@dataclass
class FakeServices(Services):
    """Answers what handlers ask of Sym Flows, and remembers it.

    Example:
        services = testing.FakeServices(event_counts={"request": 1}, secrets={"api_key": "k"})
        policy.handle(event, services)
        assert services.messages == [({"kind": "slack_channel_name", "name": "#access", …}, "Hello")]
    """

    users: list[User] = field(default_factory=list)
    """Users that there are already. Others are made when they are asked for."""

    event_counts: dict[str, int] = field(default_factory=dict)
    """How often users caused events, by the events' names; 0 for others."""

    secrets: dict[str, str] = field(default_factory=dict)
    """Values of secrets by their paths."""

    store: dict[str, Any] = field(default_factory=dict)
    """What sym.sdk.integrations.store has kept for the flow."""

    shared_store: dict[str, Any] = field(default_factory=dict)
    """What it has kept for all flows."""

    lambdas: dict[str, Any] = field(default_factory=dict)
    """What AWS Lambda functions answer, by ARN: a value, or a function of the payload."""

    answers: dict[str, Any] = field(default_factory=dict)
    """Answers to other ops by their names: a value, a function of the arguments, or an
    exception to raise."""

    asked: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    """All that was asked, in order: op and arguments."""

    @property
    def messages(self) -> list[tuple[Any, str]]:
        """The messages that were sent: to whom (None: the request's thread), and the text."""
        return [
            (args.get("to"), args["text"]) for op, args in self.asked if op in ("send_message", "send_thread_message")
        ]

    def offers(self, op: str) -> bool:
        return op in ("secret", "invoke")

    def ask(self, op: str, **args: Any) -> Any:
        self.asked.append((op, args))
        if op in self.answers:
            return _answer(self.answers[op], **args)
        answer = getattr(self, f"_{op}", None)
        if answer is None:
            raise SymIntegrationError(
                "NO_FAKE",
                f"FakeServices has no answer to {op}.",
                f'Give one: answers={{"{op}": …}}.',
            )
        return answer(**args)

    def _send_message(self, to: Any, text: str) -> None:
        return None

    def _send_thread_message(self, text: str) -> None:
        return None

    def _event_count(self, event: str, **_: Any) -> int:
        return self.event_counts.get(event, 0)

    def _store_get(self, path: str) -> Any:
        return self.store[path] if path in self.store else self.shared_store.get(path)

    def _store_put(self, path: str, value: Any, shared: bool) -> None:
        (self.shared_store if shared else self.store)[path] = value

    def _save_identity(self, **_: Any) -> None:
        return None

    def _user_by_email(self, email: str, create: bool = False) -> Any:
        for known in self.users:
            if known.email.lower() == email.lower():
                return encode.user(known)
        return encode.user(user(email)) if create else None

    def _users_by_emails(self, emails: list[str], create: bool = True) -> list[Any]:
        return [self._user_by_email(email, create) for email in emails]

    def _users_by_identities(self, service: str, service_id: str, user_ids: list[str]) -> list[Any]:
        def known_as(person: Any) -> bool:
            identity = person.identity(service, service_id)
            return identity is not None and identity.user_id in user_ids

        return [encode.user(known) for known in self.users if known_as(known)]

    def _secret(self, path: str, json_key: str | None = None) -> str:
        if path not in self.secrets:
            raise SymIntegrationError(
                "NO_FAKE",
                f"FakeServices has no secret {path}.",
                f'Give one: secrets={{"{path}": "…"}}.',
            )
        return self.secrets[path]

    def _invoke(self, arn: str, payload: Any = None) -> Any:
        if arn not in self.lambdas:
            raise SymIntegrationError(
                "NO_FAKE",
                f"FakeServices has no function {arn}.",
                f'Give one: lambdas={{"{arn}": …}}.',
            )
        return _answer(self.lambdas[arn], payload)

    def _invoke_async(self, arn: str, payload: Any = None) -> bool:
        self._invoke(arn, payload)
        return True


class HandlerFailed(SymException):
    """A handler raised, or returned what it may not.

    Its code is the one that a run would show: error_code, message, hint and line say
    what and where.
    """

    def __init__(self, handler: str, error: Mapping[str, Any]) -> None:
        error_type, _, name = error["code"].partition(":")
        super().__init__(error_type, name, error["message"])
        self.handler = handler
        self.line: int | None = error.get("line")
        self._hint = error.get("hint", "")

    @property
    def hint(self) -> str:
        return self._hint

    def __str__(self) -> str:
        where = f" (line {self.line})" if self.line else ""
        return f"{self.handler}{where}: {self.error_code}: {self.message} {self._hint}".rstrip()


@dataclass(frozen=True)
class Outcome:
    """What the handlers of one event decided."""

    values: dict[str, Any]
    """What each returned, by its name, as the handler protocol has it. Handlers that
    the file does not define, or that were skipped, are not in it."""

    @property
    def hook(self) -> dict[str, Any]:
        """What the on_… hook returned; empty if it let the event go on, or is not there."""
        return next((value or {} for name, value in self.values.items() if name.startswith("on_")), {})

    @property
    def decision(self) -> str | None:
        """The event that the hook returned: "approve", "deny", "ignore" and so on; None
        if people decide."""
        return self.hook.get("event")

    @property
    def fields(self) -> dict[str, Any]:
        """The fields of that event."""
        return self.hook.get("fields", {})

    @property
    def reason(self) -> str | None:
        """The reason that is shown with the decision."""
        return self.fields.get("reason")

    @property
    def message(self) -> str | None:
        """What the user is told whose event is ignored."""
        return self.hook.get("message")

    @property
    def permissions(self) -> dict[str, Any] | None:
        """What get_permissions returned: webapp_view, approve_deny, allow_self_approval."""
        return self.values.get("get_permissions")

    @property
    def notifications(self) -> list[dict[str, Any]]:
        """What get_request_notifications returned: destinations and timeout of each."""
        return self.values.get("get_request_notifications") or []

    @property
    def approvers(self) -> dict[str, Any] | None:
        """What get_approvers returned, if it was called."""
        return self.values.get("get_approvers")


class Policy:
    """The handlers of one file.

    Raises, from every method:
        HandlerFailed: a handler raised, or returned what it may not.
    """

    def __init__(self, handlers: source.Handlers) -> None:
        self._handlers = handlers
        for fault in handlers.warnings:
            warnings.warn(f"{handlers.file}:{fault.line}: {fault.message} {fault.hint}", stacklevel=3)

    @classmethod
    def of_file(cls, path: str | Path) -> Policy:
        """The handlers of a file. Raises what its import raises."""
        return cls.of_text(Path(path).read_text(encoding="utf-8"), Path(path).name)

    @classmethod
    def of_text(cls, text: str, name: str = "impl.py") -> Policy:
        """The handlers of a text. Raises what its import raises."""
        return cls(source.load(text, name))

    @classmethod
    def of_module(cls, module: ModuleType) -> Policy:
        """The handlers of a module that the test has imported."""
        lines = {
            name: thing.__code__.co_firstlineno for name, thing in vars(module).items() if hasattr(thing, "__code__")
        }
        for name, value in source.WITHOUT_IMPORT.items():
            vars(module).setdefault(name, value)
        return cls(source.find(vars(module), module.__file__ or module.__name__, lines, module.__name__))

    @property
    def handlers(self) -> list[str]:
        """The handlers that there are, such as "on_request" and "prefetch:repo"."""
        return self._handlers.names()

    def handle(
        self,
        event: Event,
        services: Services | None = None,
        *,
        step_outputs: Mapping[str, dict[str, Any]] | None = None,
        forward: RequestForwardContext | None = None,
    ) -> Outcome:
        """What happens before an event's step: its on_… hook, and, of a request, the
        reducers that say who decides.

        Args:
            event: the event, see testing.event.
            services: what handlers can ask; FakeServices(), if None.
            step_outputs: what get_step_output finds, by step.
            forward: what hooks of request_forward get.
        """
        reducers = ["get_permissions", "get_request_notifications", "get_approvers"] if event.name == "request" else []
        return self._steps([f"on_{event.name}", *reducers], event, services, step_outputs, forward)

    def after(
        self,
        event: Event,
        services: Services | None = None,
        *,
        step_outputs: Mapping[str, dict[str, Any]] | None = None,
        forward: RequestForwardContext | None = None,
    ) -> Outcome:
        """What happens after an event's step: its after_… hook. Arguments are as of handle."""
        return self._steps([f"after_{event.name}"], event, services, step_outputs, forward)

    def prefetch(self, field_name: str, event: Event, services: Services | None = None) -> list[dict[str, Any]]:
        """The options of a prompt field: value and label of each."""
        return self._one({"op": "prefetch", "field": field_name, "event": encode.event(event)}, services)

    def on_change(
        self,
        field_name: str,
        form: SymPromptForm,
        username: str = "alice@example.com",
        services: Services | None = None,
    ) -> SymPromptForm:
        """The form after a field of it has been changed. The form that is passed stays
        as it is."""
        message = {"op": "on_change", "field": field_name, "username": username, "form": encode.prompt_form(form)}
        return wire.form(self._one(message, services))

    def escalate(
        self, event: Event, services: Services | None = None, *, step_outputs: Mapping[str, Any] | None = None
    ) -> dict[str, Any] | None:
        """What the strategy of the file returns for escalate."""
        return self._strategy("escalate", event, services, step_outputs)

    def deescalate(
        self, event: Event, services: Services | None = None, *, step_outputs: Mapping[str, Any] | None = None
    ) -> dict[str, Any] | None:
        """What the strategy of the file returns for deescalate."""
        return self._strategy("deescalate", event, services, step_outputs)

    def fetch_remote_identity(self, user: User, strategy: Strategy, services: Services | None = None) -> str | None:
        """Whom the strategy of the file takes a user for."""
        message = {
            "op": "strategy", "method": "fetch_remote_identity", "user": encode.user(user),
            "strategy": encode.strategy(strategy),
        }
        return self._one(message, services)

    def get_identity(
        self, event: Event, service: str, external_id: str, user: User | None = None, services: Services | None = None
    ) -> str | None:
        """Whom get_identity takes a user (the requester, if None) for in a system."""
        return self._one({
            "op": "identity", "handler": "get_identity", "service": service, "external_id": external_id,
            "user": encode.user(user or event.get_actor("request")), "event": encode.event(event),
        }, services)

    def get_flows(
        self, user: User, flows: Iterable[Flow], vars: Mapping[str, Any] | None = None, services: Services | None = None
    ) -> list[str]:
        """The names of the flows that get_flows shows a user."""
        return self._one({
            "op": "flows", "user": encode.user(user), "flows": [encode.flow(flow) for flow in flows], "vars": dict(vars or {}),
        }, services)

    def _steps(self, names: list[str], event: Event, services: Services | None, outputs: Any, forward: Any) -> Outcome:
        message = {"op": "handle", "handlers": names, "event": encode.event(event, outputs, forward)}
        return Outcome({
            result["handler"]: result["value"] for result in self._run(message, services) if result["state"] == "returned"
        })

    def _strategy(self, method: str, event: Event, services: Services | None, outputs: Any) -> dict[str, Any] | None:
        message = {
            "op": "strategy", "method": method, "target_id": event.payload.fields["target_id"],
            "event": encode.event(event, outputs),
        }
        return self._one(message, services)

    def _one(self, message: Mapping[str, Any], services: Services | None) -> Any:
        [result] = self._run(message, services)
        if result["state"] == "absent":
            raise HandlerFailed(result["handler"], faults.of("SDK:NO_HANDLER", "The file does not define it."))
        return result["value"]

    def _run(self, message: Mapping[str, Any], services: Services | None) -> Iterator[dict[str, Any]]:
        for result in calls.run(message, self._handlers, FakeServices() if services is None else services):
            if result["state"] == "failed":
                raise HandlerFailed(result["handler"], result["error"])
            yield result


@contextmanager
def running(
    event: Event, services: Services | None = None, *, step_outputs: Mapping[str, dict[str, Any]] | None = None
) -> Iterator[Services]:
    """Lets a test call functions of its own, as if a handler ran.

    Example:
        with testing.running(testing.event("request")) as services:
            assert impl.is_quiet_hour(event)
    """
    services = FakeServices() if services is None else services
    around = runtime.Runtime(
        services=services,
        event=event,
        integrations=event.flow.environment.integrations,
        step_outputs=dict(step_outputs or {}),
    )
    with runtime.use(around):
        yield services


def _answer(answer: Any, *args: Any, **named: Any) -> Any:
    if isinstance(answer, Exception):
        raise answer
    return answer(*args, **named) if callable(answer) else answer
