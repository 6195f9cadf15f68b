from sym.sdk.annotations import hook
from sym.sdk.integrations import pagerduty
from sym.sdk.templates import ApprovalTemplate


@hook
def on_prompt(event):
    print(event.user.email, "asks for a report")


@hook
def on_request(event):
    if pagerduty.is_on_call(event.user):
        return ApprovalTemplate.approve(reason="on call")
