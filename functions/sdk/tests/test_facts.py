"""Every name, signature and attribute that handlers written for Sym rely on."""

import importlib
import importlib.resources
import inspect
import unittest
from enum import Enum

from sym.sdk import testing
from sym.sdk.exceptions import ExceptionWithHint, SymException
from sym.sdk.strategies import AccessStrategy

# Module → name → signature, without annotations. "class" and "exception" stand for
# those whose constructor handlers don't call.
NAMES = {
    "annotations": {
        "hook": "(function)",
        "reducer": "(function)",
        "prefetch": "(*, field_name)",
    },
    "templates": {
        "ApprovalTemplate": "class",
        "ApprovalTemplateStep": "class",
        "TemplateStep": "class",
        "ApprovalTemplate.prompt": "(**kwargs)",
        "ApprovalTemplate.request": "(*, target_srn=None, duration=None, **kwargs)",
        "ApprovalTemplate.approve": "(*, target_srn=None, duration=None, **kwargs)",
        "ApprovalTemplate.deny": "(*, target_srn=None, duration=None, **kwargs)",
        "ApprovalTemplate.escalate": "(*, target_srn=None, duration=None, **kwargs)",
        "ApprovalTemplate.deescalate": "(*, target_srn=None, **kwargs)",
        "ApprovalTemplate.ignore": "(*, message=None, **kwargs)",
        "get_step_output": "(step_name=None)",
    },
    "templates.approval": {"ApprovalTemplate": "class", "ApprovalTemplateStep": "class"},
    "templates.template": {"TemplateStep": "class", "get_step_output": "(step_name=None)"},
    "request_permission": {
        "RequestPermission": "(webapp_view, approve_deny, allow_self_approval=False)",
        "PermissionLevel": "class",
        "user_ids": "(users)",
    },
    "notifications": {"Notification": "(destinations, timeout=None)"},
    "request_destination": {
        "RequestDestination": "class",
        "SlackChannelID": "(channel_id, *, allow_self=False, timeout=None)",
        "SlackChannelName": "(channel_name, *, allow_self=False, timeout=None)",
        "SlackUser": "(user_id, *, allow_self=False, timeout=None)",
        "SlackUserGroup": "(users, *, allow_self=False, timeout=None)",
        "RequestDestinationFallback": "(destinations, continue_on_delivery_failure=True, continue_on_timeout=False)",
    },
    "request_forward_context": {
        "RequestForwardContext": "(all_request_destinations, current_destination_index, next_destination_index=None)",
    },
    "field_option": {"FieldOption": "(value, label)"},
    "forms": {
        "FieldOption": "(value, label)",
        "FieldType": "class",
        "PromptField": "class",
        "SlackUserSelection": "(user_id, username=None)",
        "SymPromptForm": "class",
    },
    "event": {
        "Event": "class",
        "Event.get_actor": "(self, event_name)",
        "Event.get_context": "(self, event_name)",
    },
    "payload": {"Payload": "class"},
    "channel": {"Channel": "class"},
    "run": {"Run": "class"},
    "flow": {"Flow": "class", "Environment": "class"},
    "access_target": {"AccessTarget": "class"},
    "strategy": {"Strategy": "class"},
    "strategies": {
        "AccessStrategy": "(integration)",
        "AccessStrategy.fetch_remote_identity": "(self, user)",
        "AccessStrategy.escalate": "(self, target_id, event)",
        "AccessStrategy.deescalate": "(self, target_id, event)",
        "AccessStrategy.get_requester_identity": "(self, event)",
        "Integration": "class",
    },
    "strategies.access_strategy": {"AccessStrategy": "(integration)"},
    "secret": {"Secret": "class", "Secret.retrieve_value": "(self)"},
    "user": {
        "User": "class",
        "User.identity": "(self, service_type, service_id=None)",
        "User.get_event_count": "(self, event_name, since=None, until=None, filter_on='flow', include_errored=False)",
        "UserIdentity": "(service, service_id, user_id)",
    },
    "resource": {"SRN": "class", "SymResource": "class"},
    "utils": {"persist_user_identity": "(*, email, service, service_id, user_id)"},
    "exceptions": {
        "SymException": "(error_type, name, message)",
        "ExceptionWithHint": "(error_type, name, message, hint='')",
        "AccessStrategyError": "exception",
        "AptibleError": "exception",
        "AWSError": "exception",
        "AWSIAMError": "exception",
        "AWSLambdaError": "exception",
        "AWSSSOError": "exception",
        "BoundaryError": "exception",
        "CouldNotSaveError": "exception",
        "GitHubError": "exception",
        "GoogleError": "exception",
        "HTTPError": "exception",
        "IdentityError": "exception",
        "IdentityNotFound": "exception",
        "JiraError": "exception",
        "KnowBe4Error": "exception",
        "MissingArgument": "exception",
        "OktaError": "exception",
        "OneLoginError": "exception",
        "PagerDutyError": "exception",
        "SDKError": "exception",
        "SlackError": "exception",
        "SymIntegrationError": "exception",
    },
    "exceptions.sym_exception": {"SymException": "exception", "ExceptionWithHint": "exception"},
    "exceptions.identity": {"IdentityError": "exception", "IdentityNotFound": "exception"},
    "exceptions.aws": {"AWSError": "exception", "AWSIAMError": "exception"},
}

# The same, of sym.sdk.integrations.
ON_CALL = (
    "(user, *, escalation_policy_name=None, escalation_policy_id=None, schedule_name=None, schedule_id=None,"
    " escalation_level=None)"
)
INCIDENTS = "(*, assignees=None, service_ids=None, statuses=None, urgencies=None, since=None, until=None)"
INTEGRATIONS = {
    "slack": {
        "user": "(identifier, allow_self=False, timeout=None)",
        "mention": "(identifier)",
        "escape": "(text)",
        "channel": "(name, allow_self=False, timeout=None)",
        "group": "(users, allow_self=False, timeout=None)",
        "fallback": "(*destinations, continue_on_delivery_failure=True, continue_on_timeout=False)",
        "send_message": "(destination, message)",
        "send_thread_message": "(message)",
        "get_user_info": "(user)",
        "list_users": "(active_only=True)",
        "is_user_in_group": "(user, *, group_id)",
        "users_in_channel": "(channel)",
    },
    "pagerduty": {
        "is_on_call": ON_CALL,
        "users_on_call": ON_CALL.replace("user, ", ""),
        "users_for_schedule": "(*, schedule_name=None, schedule_id=None, escalation_level=None)",
        "get_incidents": INCIDENTS,
        "has_incident": INCIDENTS,
    },
    "okta": {
        "is_user_in_group": "(user, *, group_id)",
        "users_in_group": "(*, group_id)",
        "get_user_info": "(user)",
        "list_groups": "(*, name_filter=None, filter=None, expand=None, only_native_groups=True)",
    },
    "onelogin": {
        "list_roles": "(name_filter=None)",
        "get_user_info": "(user)",
        "users_in_role": "(role_id)",
        "is_user_in_role": "(user, *, role_id)",
    },
    "google": {
        "is_user_in_group": "(user, *, group_email)",
        "list_groups": "(domain=None)",
        "users_in_group": "(group_email, *, include_indirect_members=True)",
    },
    "github": {"get_repo_collaborators": "(*, repo_name, roles)"},
    "aws_iam": {"is_user_in_group": "(user, *, group_name)"},
    "aws_sso": {
        "is_user_in_group": "(user, *, group_name)",
        "list_groups": "()",
        "users_in_group": "(group_name)",
        "list_accounts": "(organizational_unit_id=None)",
    },
    "aws_lambda": {"invoke": "(arn, payload=None)", "invoke_async": "(arn, payload=None)"},
    "boundary": {"list_groups": "(scope_id='global', filter=None, recursive=False)", "get_group": "(group_id)"},
    "jira": {
        "search_issues": "(jql, fields=None, expand=None)",
        "add_comment_to_issue": "(issue_id_or_key, comment, expand=None)",
        "create_issue": "(title, project_key, issue_type_name, description=None, due_date=None, labels=None,"
                        " parent_issue_id_or_key=None, priority_id=None, custom_fields=None)",
    },
    "knowbe4": {
        "get_training_enrollments_for_user": "(user, store_purchase_id=None, campaign_id=None)",
        "is_user_in_group": "(user, group_id)",
    },
    "sym": {
        "get_or_create_user_by_email": "(email)",
        "get_or_create_users_by_emails": "(emails, raise_on_error=False)",
    },
    "store": {"fetch": "(path)", "put": "(path, value, *, shared=False)"},
}

# What the package itself offers, in one import.
TOP = ["SRN", "AccessTarget", "User", "UserIdentity", "hook", "reducer", "prefetch", "ApprovalTemplate", "Event"]

ENUMS = {
    "templates.ApprovalTemplateStep": [
        "prompt", "request", "request_forward", "request_expire", "approve", "deny", "escalate", "deescalate",
        "extend_request", "extend", "extend_deny",  # ours
        "review",  # ours
    ],
    "templates.TemplateStep": ["ignore"],
    "request_permission.PermissionLevel": ["admin", "member", "all_users"],
    "forms.FieldType": [
        "string", "int", "bool", "duration", "slack_user", "slack_user_list", "str_list", "int_list",
    ],
    "user.UserType": ["normal", "bot"],
    "user.UserRole": ["admin", "member", "guest"],
}

EVENT = testing.event(
    "approve",
    user=testing.user("bob@example.com", first_name="Bob", identities={"okta": "00u1"}),
    requester=testing.user("alice@example.com"),
    fields={"reason": "Disk full", "duration": 600, "decision_message": "ok"},
    target=testing.target("orders-db", label="Orders", identifier="orders"),
    vars={"channel": "#access"},
    integrations={"custom": testing.integration("custom", external_id="victorops", secrets=["api_key"], region="eu")},
    context={"diff": "+1"},
)
INTEGRATION = EVENT.flow.environment.integrations["custom"]

# Object → attribute → value.
ATTRIBUTES = {
    "event": (EVENT, {
        "name": "approve",
        "template": lambda template: str(template.srn) == "sym:template:approval:1.0.0",
        "meta": lambda meta: meta.schema_version == 6,
        "srn": lambda srn: str(srn) == "sym:event-spec:approval:1.0.0:approve" and srn.identifier == "approve",
        "user": lambda user: user.email == "bob@example.com",
        "payload": lambda payload: payload.user == EVENT.user,
        "flow": lambda flow: flow.name == "prod-access",
        "run": lambda run: run.srn.model == "run",
        "channel": lambda channel: channel.type == "slack",
    }),
    "payload": (EVENT.payload, {
        "timestamp": lambda timestamp: timestamp.tzinfo is not None,
        "srn": lambda srn: srn.identifier == "approve",
        "user": lambda user: user.username == "bob@example.com",
        "fields": lambda fields: (fields["duration"], fields["decision_message"], fields["target"].name,
                                  fields["target_id"]) == (600, "ok", "orders-db", fields["target"].id),
    }),
    "channel": (EVENT.channel, {"type": "slack", "identifier": "C012AB3CD"}),
    "run": (EVENT.run, {
        "actors": lambda actors: actors["request"].email == "alice@example.com",
        "contexts": {"request": {"diff": "+1"}},
        "source_channel": lambda channel: channel.identifier == "C012AB3CD",
        "id": lambda id: len(id) == 36,
    }),
    "flow": (EVENT.flow, {
        "name": "prod-access",
        "srn": lambda srn: str(srn) == "sym:flow:prod-access:1.0.0",
        "fields": {},
        "vars": {"channel": "#access"},
        "environment": lambda environment: list(environment.integrations) == ["custom"],
        "strategy": lambda strategy: strategy.type == "custom",
    }),
    "target": (EVENT.payload.fields["target"], {
        "name": "orders-db",
        "slug": "orders-db",
        "label": "Orders",
        "type": "custom",
        "settings": {"identifier": "orders"},
        "srn": lambda srn: (srn.model, srn.type) == ("access_target", "custom"),
    }),
    "strategy": (EVENT.flow.strategy, {
        "id": "strategy",
        "type": "custom",
        "name": "strategy",
        "label": "strategy",
        "integration": lambda integration: integration.type == "custom",
        "targets": lambda targets: [target.name for target in targets] == ["orders-db"],
        "settings": {},
    }),
    "integration": (INTEGRATION, {
        "type": "custom",
        "external_id": "victorops",
        "name": "custom",
        "settings": lambda settings: (settings["region"], settings["secrets"][0], settings["api_key"].path) == (
            "eu", settings["api_key"], "api_key"),
    }),
    "secret": (INTEGRATION.settings["secrets"][0], {
        "id": "api_key",
        "path": "api_key",
        "source": "aws_secrets_manager",
        "settings": {},
        "retrieve_value": callable,
    }),
    "user": (EVENT.user, {
        "id": lambda id: len(str(id)) == 36,
        "email": "bob@example.com",
        "username": "bob@example.com",
        "type": "normal",
        "first_name": "Bob",
        "last_name": "",
        "role": "member",
        "identities": lambda identities: identities[0].user_id == "00u1",
        "srn": lambda srn: (srn.model, srn.type) == ("user", "normal"),
    }),
}


def shape(thing):
    """The signature without annotations."""
    signature = inspect.signature(thing)
    plain = [p.replace(annotation=inspect.Parameter.empty) for p in signature.parameters.values()]
    return str(signature.replace(parameters=plain, return_annotation=inspect.Signature.empty))


def found(path):
    """What a dotted path in sym.sdk names, the longest part that is a module first."""
    parts = path.split(".")
    for i in range(len(parts) - 1, -1, -1):
        try:
            thing = importlib.import_module(".".join(["sym.sdk", *parts[:i]]))
        except ModuleNotFoundError:
            continue
        for part in parts[i:]:
            thing = getattr(thing, part)
        return thing
    raise AssertionError(path)


ALL = NAMES | {f"integrations.{name}": functions for name, functions in INTEGRATIONS.items()}


class Facts(unittest.TestCase):
    def test_names(self):
        for module, names in ALL.items():
            home = importlib.import_module(f"sym.sdk.{module}")
            for name, expected in names.items():
                with self.subTest(f"{module}.{name}"):
                    thing = home
                    for part in name.split("."):
                        thing = getattr(thing, part)
                    if expected == "exception":
                        self.assertTrue(issubclass(thing, SymException))
                    elif expected == "class":
                        self.assertIsInstance(thing, type)
                    else:
                        self.assertEqual(shape(thing), expected)
                    self.assertTrue(inspect.getdoc(thing), "it has no docstring")

    def test_integrations_have_no_other_functions(self):
        for name, functions in INTEGRATIONS.items():
            home = importlib.import_module(f"sym.sdk.integrations.{name}")
            own = [n for n, thing in vars(home).items()
                   if inspect.isfunction(thing) and thing.__module__ == home.__name__ and not n.startswith("_")]
            self.assertEqual(own, list(functions), name)

    def test_top(self):
        for name in TOP:
            self.assertTrue(hasattr(importlib.import_module("sym.sdk"), name), name)

    def test_enums(self):
        for path, values in ENUMS.items():
            with self.subTest(path):
                kind = found(path)
                self.assertTrue(issubclass(kind, Enum))
                self.assertEqual([member.value for member in kind], values)
                for member in kind:
                    self.assertEqual(member, member.value)  # texts compare equal
                    self.assertEqual(member.name, member.value.upper())

    def test_attributes(self):
        for name, (thing, attributes) in ATTRIBUTES.items():
            for attribute, expected in attributes.items():
                with self.subTest(f"{name}.{attribute}"):
                    value = getattr(thing, attribute)
                    if callable(expected):
                        self.assertTrue(expected(value), value)
                    else:
                        self.assertEqual(value, expected)

    def test_annotated(self):
        for module, names in ALL.items():
            for name, expected in names.items():
                if expected.startswith("("):
                    thing = found(f"{module}.{name}")
                    for parameter in inspect.signature(thing).parameters.values():
                        with self.subTest(f"{module}.{name}({parameter.name})"):
                            self.assertTrue(parameter.name == "self" or parameter.annotation is not parameter.empty)

    def test_constructor_is_final(self):
        self.assertTrue(AccessStrategy.__init__.__final__)
        self.assertTrue(AccessStrategy.get_requester_identity.__final__)
        self.assertTrue(issubclass(ExceptionWithHint, SymException))

    def test_typed(self):
        import sym.sdk

        with importlib.resources.files(sym.sdk).joinpath("py.typed").open() as marker:
            self.assertEqual(marker.read(), "")
