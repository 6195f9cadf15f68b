package flow

// FlowsFilter is the code that says which flows a person is shown in Slack. It
// keeps lists short and protects nothing: a person who knows a flow's name may
// ask for it.
type FlowsFilter struct {
	Implementation *Source                `json:"implementation"`
	Vars           map[string]string      `json:"vars,omitempty"`
	Integrations   map[string]Integration `json:"integrations,omitempty"` // by service
}

// Check finds what is wrong with the code.
func (f FlowsFilter) Check() error {
	if f.Implementation == nil {
		return Errorf(CodeInvalid, "is missing: write Python that defines %s(user, flows, flows_filter_vars), or the path of a file ending in .py", HandlerFlows)
	}
	if err := f.Implementation.check(); err != nil {
		return err
	}
	if !f.Implementation.Defines(HandlerFlows) {
		return Errorf(CodeInvalid, "%s does not define %s(user, flows, flows_filter_vars): write it", f.Implementation.Name, HandlerFlows)
	}
	return nil
}
