package client

import (
	"context"
	"net/url"
	"slices"
	"time"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/strategy"
)

// pim are the assignments by which Privileged Identity Management makes users
// members of a group, and ends that.
type pim struct{ tenant }

// leastLife is that of an assignment: PIM takes no end that is nearer.
const leastLife = 5 * time.Minute

// again is how long PIM is left alone with an assignment that is too young to be
// ended.
const again = time.Minute

// What PIM answers with status 400.
const (
	codeExists   = "RoleAssignmentExists"
	codeNotThere = "RoleAssignmentDoesNotExist"
	codePolicy   = "RoleAssignmentRequestPolicyValidationFailed"
	codeTooYoung = "ActiveDurationTooShort"
)

var (
	requests  = v1("identityGovernance", "privilegedAccess", "group", "assignmentScheduleRequests")
	instances = v1("identityGovernance", "privilegedAccess", "group", "assignmentScheduleInstances")
)

// instance is an assignment that is in force.
type instance struct {
	Principal string     `json:"principalId"`
	Access    string     `json:"accessId"`       // "member" or "owner"
	Kind      string     `json:"assignmentType"` // "assigned" by an administrator, or "activated" by the user
	Via       string     `json:"memberType"`     // "direct", or "group" for what comes by another group
	End       *time.Time `json:"endDateTime"`    // nil: none
}

// ours tells whether it is of the kind that we make.
func (i instance) ours() bool {
	return i.Access == "member" && i.Kind == "assigned" && i.Via != "group"
}

// ask makes a request of PIM. It gives what PIM makes of it.
func (p pim) ask(ctx context.Context, c strategy.Call, group, action string, schedule map[string]any) error {
	body := map[string]any{
		"accessId": "member", "principalId": c.Identity, "groupId": group, "action": action,
		"justification": "sym run " + c.RunID,
	}
	if schedule != nil {
		body["scheduleInfo"] = schedule
	}
	var answer struct {
		Status string `json:"status"`
	}
	err := p.graph.Do(ctx, "POST", requests, nil, body, &answer)
	switch {
	case hasCode(err, codePolicy):
		return &flow.Error{Code: flow.CodeStrategy, Cause: err, Message: "the settings that PIM has for members of the group refuse it: let active assignments last as long as requests may, without a ticket or MFA. It says: " + said(err).Message}
	case hasCode(err, codeTooYoung):
		return &flow.RateLimited{After: again, Cause: &flow.Error{Code: flow.CodeUnavailable, Message: "PIM ends no assignment in its first five minutes: it is tried again", Cause: err}}
	case err != nil:
		return err
	case slices.Contains([]string{"Failed", "Denied", "Canceled", "Revoked"}, answer.Status) && action != "adminRemove":
		return flow.Errorf(flow.CodeStrategy, "PIM has made %q of the request: see the audit log of PIM for the group", flow.Clip(answer.Status, 40))
	case answer.Status == "PendingApproval":
		return flow.Errorf(flow.CodeStrategy, "PIM wants somebody to approve the assignment there, too: let the app assign members without")
	}
	return nil
}

// grant makes an assignment with the end, or gives the one that is there that end.
func (p pim) grant(ctx context.Context, c strategy.Call, group string) error {
	now := p.deps.Now().UTC()
	expiration := map[string]any{"type": "noExpiration"}
	if !c.Until.IsZero() {
		end := c.Until.UTC()
		if soonest := now.Add(leastLife); end.Before(soonest) {
			end = soonest
		}
		expiration = map[string]any{"type": "afterDateTime", "endDateTime": end.Format(time.RFC3339)}
	}
	schedule := map[string]any{"startDateTime": now.Format(time.RFC3339), "expiration": expiration}
	seen, err := p.observe(ctx, group, c.Identity)
	if err != nil {
		return err
	}
	action := "adminAssign"
	if seen.Presence == flow.Present {
		if seen.Until.Equal(c.Until.Truncate(time.Second)) {
			return nil
		}
		action = "adminUpdate"
	}
	err = p.ask(ctx, c, group, action, schedule)
	switch { // what was seen may be old
	case action == "adminAssign" && hasCode(err, codeExists):
		err = p.ask(ctx, c, group, "adminUpdate", schedule)
	case action == "adminUpdate" && hasCode(err, codeNotThere):
		err = p.ask(ctx, c, group, "adminAssign", schedule)
	}
	if notFound(err) { // both were there a moment ago
		return &flow.Error{Code: flow.CodeUnavailable, Message: "PIM does not know the group or the user everywhere yet", Cause: err}
	}
	return err
}

func (p pim) revoke(ctx context.Context, c strategy.Call, group string) (gone bool, err error) {
	err = p.ask(ctx, c, group, "adminRemove", nil)
	if hasCode(err, codeNotThere) || notFound(err) {
		return true, nil
	}
	return false, err
}

// observe looks at the assignments of the user.
func (p pim) observe(ctx context.Context, group, user string) (strategy.Sight, error) {
	sight := strategy.Sight{Presence: flow.Absent}
	for i, err := range p.inForce(ctx, "groupId eq '"+group+"' and principalId eq '"+user+"'") {
		switch {
		case err != nil:
			return strategy.Sight{}, err
		case i.ours():
			sight.Presence = flow.Present
			if i.End != nil {
				sight.Until = *i.End
			}
		case i.Access == "member" && i.Kind == "activated":
			sight.Others = append(sight.Others, "their own activation in PIM")
		}
	}
	return sight, nil
}

func (p pim) holders(ctx context.Context, group string) ([]string, error) {
	var found []string
	for i, err := range p.inForce(ctx, "groupId eq '"+group+"'") {
		if err != nil {
			return nil, err
		}
		if i.ours() {
			found = append(found, i.Principal)
		}
	}
	return found, nil
}

func (p pim) inForce(ctx context.Context, filter string) func(func(instance, error) bool) {
	return all[instance](ctx, p.graph, instances, url.Values{"$filter": {filter}})
}
