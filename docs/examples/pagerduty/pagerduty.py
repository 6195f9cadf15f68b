"""Approves what is asked by whoever is on call."""

from sym.sdk.annotations import hook
from sym.sdk.exceptions import SymException
from sym.sdk.integrations import pagerduty
from sym.sdk.templates import ApprovalTemplate


@hook
def on_request(event):
    policy = event.flow.vars["escalation_policy"]
    try:
        # The last level is often the whole team, which is always on call.
        if pagerduty.is_on_call(event.user, escalation_policy_name=policy, escalation_level=1):
            return ApprovalTemplate.approve(reason=f"On call for {policy}")
    except SymException as error:
        print(f"PagerDuty can't be asked, so people are: {error}")
