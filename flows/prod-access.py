"""Who is on call gets access at once; everybody else asks people.

PagerDuty knows who is on call. Where it can't be asked, people decide, as they do
for everybody else: an outage never locks anybody out, and never lets anybody in.
"""

from sym.sdk.annotations import hook
from sym.sdk.exceptions import SymException
from sym.sdk.integrations import pagerduty
from sym.sdk.templates import ApprovalTemplate


@hook
def on_request(event):
    schedule = event.flow.vars["schedule"]
    try:
        on_call = pagerduty.is_on_call(event.user, schedule_name=schedule)
    except SymException as error:
        print(f"PagerDuty can't be asked, so people are: {error}")
        return None
    if on_call:
        return ApprovalTemplate.approve(reason=f"On call for {schedule}.")
    return None
