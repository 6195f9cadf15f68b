"""What a flow's steps are, and what hooks may return to change their course."""

from sym.sdk.templates.approval import ApprovalTemplate, ApprovalTemplateStep
from sym.sdk.templates.template import Template, TemplateEvent, TemplateStep, get_step_output

__all__ = ["ApprovalTemplate", "ApprovalTemplateStep", "Template", "TemplateEvent", "TemplateStep", "get_step_output"]
