package flow

// StepOutcome returns what the step of a workflow that asked is told when the request
// has come to its outcome; false while it has not. A request for an approval has when it
// is decided, one for access when that is there, or will not come. What happens later is
// no news to the step, which has ended.
func (r *Run) StepOutcome() (Status, bool) {
	switch r.Status {
	case Denied, Expired, Cancelled, Escalated, Deescalated:
		return r.Status, true
	case Approved:
		return r.Status, r.ApprovalOnly
	}
	return r.Status, false
}

// MayBeStep returns nil if a step of a workflow may ask by the flow, and an error that
// says why not otherwise. The author of a workflow can have it ask for anybody, whenever
// they like: so nothing may be given without somebody else's approval. Known says
// whether Slack has told who started the workflow, who then can't approve; else one
// person alone must not be able to.
func (f *Flow) MayBeStep(known bool) error {
	refuse := func(why string) error {
		return Errorf(CodeForbidden, "flow %q can't be asked by a step of a workflow: %s", f.Name, why)
	}
	decides := len(f.Handlers(HookBefore(EventRequest), HandlerPermissions, HandlerApprovers)) > 0
	switch p := f.Params; {
	case !p.OnBehalf:
		return refuse("it does not let people ask for others (on_behalf)")
	case !p.Allows(ChannelSlack):
		return refuse("it can't be started from Slack (allowed_sources)")
	case p.Approval.AllowSelfApproval:
		return refuse("people may approve their own requests in it (allow_self_approval)")
	case decides:
		return refuse("its own code can approve requests, or says who may")
	case f.DynamicForm():
		return refuse("its own code makes its form")
	case !known && p.Approval.Required < 2:
		return refuse("Slack does not say who started the workflow, and one person could approve what they asked for (required: 2)")
	}
	return nil
}
