"""What handlers of flows import: hooks and reducers, events and users, exceptions
and integrations.

    from sym.sdk.annotations import hook, reducer
    from sym.sdk.integrations import pagerduty, slack
    from sym.sdk.templates import ApprovalTemplate
"""

from sym.sdk.access_target import AccessTarget
from sym.sdk.annotations import hook, prefetch, reducer
from sym.sdk.channel import Channel
from sym.sdk.event import Event, EventMeta
from sym.sdk.field_option import FieldOption
from sym.sdk.flow import Environment, Flow
from sym.sdk.integration import Integration
from sym.sdk.notifications import Notification
from sym.sdk.payload import Payload
from sym.sdk.request_destination import (
    RequestDestination,
    RequestDestinationFallback,
    SlackChannelID,
    SlackChannelName,
    SlackUser,
    SlackUserGroup,
)
from sym.sdk.request_forward_context import RequestForwardContext
from sym.sdk.request_permission import PermissionLevel, RequestPermission, user_ids
from sym.sdk.resource import SRN, SymResource
from sym.sdk.run import Agent, Run
from sym.sdk.secret import Secret
from sym.sdk.strategy import Strategy
from sym.sdk.templates import ApprovalTemplate, ApprovalTemplateStep, get_step_output
from sym.sdk.user import User, UserIdentity, UserRole, UserType
from sym.sdk.utils import persist_user_identity

__all__ = [
    "AccessTarget",
    "Agent",
    "ApprovalTemplate",
    "ApprovalTemplateStep",
    "Channel",
    "Environment",
    "Event",
    "EventMeta",
    "FieldOption",
    "Flow",
    "Integration",
    "Notification",
    "Payload",
    "PermissionLevel",
    "RequestDestination",
    "RequestDestinationFallback",
    "RequestForwardContext",
    "RequestPermission",
    "Run",
    "SRN",
    "Secret",
    "SlackChannelID",
    "SlackChannelName",
    "SlackUser",
    "SlackUserGroup",
    "Strategy",
    "SymResource",
    "User",
    "UserIdentity",
    "UserRole",
    "UserType",
    "get_step_output",
    "hook",
    "persist_user_identity",
    "prefetch",
    "reducer",
    "user_ids",
]
