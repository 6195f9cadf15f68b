"""Approves what is asked by who has passed a training."""

from sym.sdk.annotations import hook
from sym.sdk.exceptions import SymException
from sym.sdk.integrations import knowbe4
from sym.sdk.templates import ApprovalTemplate


@hook
def on_request(event):
    campaign = int(event.flow.vars["campaign_id"])
    try:
        trainings = knowbe4.get_training_enrollments_for_user(event.user, campaign_id=campaign)
    except SymException as error:
        print(f"KnowBe4 can't be asked, so people are: {error}")
        return None
    if any(training["status"] == "Passed" for training in trainings):
        return ApprovalTemplate.approve(reason="Has passed the training")
    return None
