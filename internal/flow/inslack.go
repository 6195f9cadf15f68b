package flow

import (
	"fmt"
	"strings"
)

// SlackKind is a kind of what a configuration names in Slack.
type SlackKind string

// What a configuration names in Slack.
const (
	SlackChannel   SlackKind = "channel"   // "#name" or an id
	SlackPerson    SlackKind = "person"    // an e-mail address
	SlackGroup     SlackKind = "group"     // a handle or an id
	SlackWorkspace SlackKind = "workspace" // an id
)

// SlackName is something in Slack that a configuration names.
type SlackName struct {
	Path string // of the attribute, as in [Flow.Places]
	Kind SlackKind
	Name string
}

// SlackNames lists what the flow, its environment included, names in Slack.
func (f *Flow) SlackNames() []SlackName {
	var names []SlackName
	add := func(kind SlackKind, name, path string, args ...any) {
		if name != "" {
			names = append(names, SlackName{fmt.Sprintf(path, args...), kind, name})
		}
	}
	people := func(attribute string, list []string) {
		for i, each := range list {
			kind, who := approverOf(each)
			add(kind, who, "%s[%d]", attribute, i)
		}
	}
	notified := func(attribute string, list []Notify) {
		for i, n := range list {
			add(SlackChannel, n.Channel, "%s[%d].channel", attribute, i)
			for j, email := range n.Users {
				add(SlackPerson, email, "%s[%d].users[%d]", attribute, i, j)
			}
		}
	}
	people("approval.approvers", f.Params.Approval.Approvers)
	notified("approval.notify", f.Params.Approval.Notify)
	if b := f.Params.BreakGlass; b != nil {
		people("break_glass.who", b.Who)
		notified("break_glass.notify", b.Notify)
	}
	for i, email := range f.Environment.Admins {
		add(SlackPerson, email, PathAdmins+"[%d]", i)
	}
	add(SlackChannel, f.Environment.ErrorChannel, PathErrorChannel)
	add(SlackWorkspace, f.Environment.Integrations["slack"].ExternalID, PathWorkspace)
	return names
}

// Paths of names that are the environment's. The others are of flows.
const (
	PathAdmins       = "admins"
	PathErrorChannel = "error_channel"
	PathWorkspace    = "workspace"
)

// OfEnvironment tells whether what a path leads to is the environment's.
func OfEnvironment(path string) bool {
	return path == PathErrorChannel || path == PathWorkspace || strings.HasPrefix(path, PathAdmins+"[")
}

// Powerless lists those whom a tier of the flow asks, and who may not decide: they
// are neither approvers nor admins. Of groups, member says who is in one of them,
// by an e-mail address; if it is nil, nothing is known of groups, and everybody may
// be in one. Where handlers say who is asked or who decides, it lists nobody.
func (f *Flow) Powerless(member func(group, email string) bool) []SlackName {
	for _, handler := range []string{HandlerPermissions, HandlerNotifications, HandlerApprovers} {
		if f.Implementation.Defines(handler) {
			return nil
		}
	}
	may := func(email string) bool {
		if len(f.Params.Approval.Approvers) == 0 || f.Environment.Administers(Actor{Email: email}) {
			return true
		}
		for _, approver := range f.Params.Approval.Approvers {
			kind, who := approverOf(approver)
			if kind == SlackGroup && (member == nil || member(who, email)) || kind == SlackPerson && strings.EqualFold(who, email) {
				return true
			}
		}
		return false
	}
	var powerless []SlackName
	for i, n := range f.Params.Approval.Notify {
		for j, email := range n.Users {
			if !may(email) {
				powerless = append(powerless, SlackName{fmt.Sprintf("approval.notify[%d].users[%d]", i, j), SlackPerson, email})
			}
		}
	}
	return powerless
}

// approverOf reads "group:<handle>" and "user:<e-mail>".
func approverOf(s string) (SlackKind, string) {
	if handle, ok := strings.CutPrefix(s, "group:"); ok {
		return SlackGroup, handle
	}
	return SlackPerson, strings.TrimPrefix(s, "user:")
}
