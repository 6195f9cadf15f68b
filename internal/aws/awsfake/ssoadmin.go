package awsfake

import (
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/symflows/symflows/internal/strategy/strategytest"
)

// admin answers for sso-admin: assignments of permission sets, which AWS works on
// after it has answered.
func (c *IdentityCenter) admin() *service {
	principal := func(q *request) string {
		var in struct{ PrincipalId string }
		_ = q.read(&in)
		return in.PrincipalId
	}
	return &service{
		protocol: awsJSON{"SWBExternalService"},
		operations: []*operation{
			{name: "CreateAccountAssignment", do: c.createAccountAssignment, event: "escalate", whose: principal},
			{name: "DeleteAccountAssignment", do: c.deleteAccountAssignment, event: "deescalate", whose: principal},
			{name: "DescribeAccountAssignmentCreationStatus", do: c.describeCreation},
			{name: "DescribeAccountAssignmentDeletionStatus", do: c.describeDeletion},
			{name: "ListAccountAssignmentCreationStatus", do: c.listCreations},
			{name: "ListAccountAssignmentDeletionStatus", do: c.listDeletions},
			{name: "ListAccountAssignments", do: c.listAccountAssignments},
			{name: "DescribePermissionSet", do: c.describePermissionSet},
			{name: "DescribeInstance", do: c.describeInstance},
			{name: "ListPermissionSets", do: c.listPermissionSets},
			{name: "ListAccountsForProvisionedPermissionSet", do: c.listAccountsForProvisionedPermissionSet},
		},
		broken: brokenJSON(), denied: deniedJSON("sso"), throttled: throttledJSON, conflict: busy(nil),
	}
}

// outstanding is how many operations may be under way.
const outstanding = 15

func lacks(what string) *Fault {
	return &Fault{http.StatusNotFound, "ResourceNotFoundException", what + " not found", nil}
}

// ofInstance checks the instance that a call names.
func (s centerState) ofInstance(arn string) error {
	if err := formed("instanceArn", arn, instanceID); err != nil {
		return err
	}
	if arn != *s.instance {
		return lacks("Instance " + arn)
	}
	return nil
}

type assignmentInput struct{ InstanceArn, PermissionSetArn, PrincipalId, PrincipalType, TargetId, TargetType string }

func (in assignmentInput) check() error {
	for _, err := range []error{
		formed("permissionSetArn", in.PermissionSetArn, permissionSetID), formed("principalId", in.PrincipalId, principalID), formed("targetId", in.TargetId, memberAccountID),
	} {
		if err != nil {
			return err
		}
	}
	if in.TargetType != "AWS_ACCOUNT" || in.PrincipalType != user && in.PrincipalType != group {
		return invalid("targetType or principalType")
	}
	return nil
}

func (c *IdentityCenter) createAccountAssignment(q *request) (any, error) {
	status, err := c.begin(q, false)
	return map[string]any{"AccountAssignmentCreationStatus": status}, err
}

func (c *IdentityCenter) deleteAccountAssignment(q *request) (any, error) {
	status, err := c.begin(q, true)
	return map[string]any{"AccountAssignmentDeletionStatus": status}, err
}

// begin takes an operation on. To create what is there is accepted, and changes
// nothing; to delete what is not is refused.
func (c *IdentityCenter) begin(q *request, remove bool) (any, error) {
	var in assignmentInput
	if err := q.read(&in); err != nil {
		return nil, err
	}
	c.settle(q.who.account, q.now)
	var status any
	err := c.write(q.who.account, q.now, func(s centerState) error {
		if err := s.ofInstance(in.InstanceArn); err != nil {
			return err
		}
		if err := in.check(); err != nil {
			return err
		}
		_, known := s.sets[in.PermissionSetArn]
		_, isUser := s.users[in.PrincipalId]
		_, isGroup := s.groups[in.PrincipalId]
		a := assignment{in.PermissionSetArn, in.TargetId, in.PrincipalType, in.PrincipalId}
		under := 0
		for _, op := range s.operations {
			if op.settled {
				continue
			}
			if under++; op.assignment == a {
				return busy(nil)
			}
		}
		switch {
		case under >= outstanding:
			return throttledJSON(0)
		case !known:
			return lacks("PermissionSet " + in.PermissionSetArn)
		case !s.accounts[in.TargetId]:
			return lacks("Account " + in.TargetId)
		case !remove && !(isUser && in.PrincipalType == user || isGroup && in.PrincipalType == group):
			return lacks("Principal " + in.PrincipalId)
		case remove && !s.assigned[a]:
			return lacks("Assignment")
		}
		c.settings.Lock()
		defer c.settings.Unlock()
		op := assigning{
			assignment: a, remove: remove, began: q.now, done: q.now.Add(c.lasts),
			held: q.mood == strategytest.Slow || q.mood == strategytest.Forgetful,
		}
		id := s.id("r")
		s.operations[id] = op
		status = op.status(id)
		return nil
	})
	return status, err
}

func (o assigning) status(id string) map[string]any {
	m := map[string]any{
		"Status": o.state(), "RequestId": id, "CreatedDate": epoch(o.began), "PermissionSetArn": o.set,
		"PrincipalId": o.principal, "PrincipalType": o.kind, "TargetId": o.account, "TargetType": "AWS_ACCOUNT",
	}
	if o.settled && o.failure != "" {
		m["FailureReason"] = o.failure
	}
	return m
}

func (o assigning) state() string {
	switch {
	case !o.settled:
		return "IN_PROGRESS"
	case o.failure != "":
		return "FAILED"
	}
	return "SUCCEEDED"
}

func (c *IdentityCenter) describeCreation(q *request) (any, error) {
	var in struct{ InstanceArn, AccountAssignmentCreationRequestId string }
	if err := q.read(&in); err != nil {
		return nil, err
	}
	status, err := c.describe(q, in.InstanceArn, in.AccountAssignmentCreationRequestId, false)
	return map[string]any{"AccountAssignmentCreationStatus": status}, err
}

func (c *IdentityCenter) describeDeletion(q *request) (any, error) {
	var in struct{ InstanceArn, AccountAssignmentDeletionRequestId string }
	if err := q.read(&in); err != nil {
		return nil, err
	}
	status, err := c.describe(q, in.InstanceArn, in.AccountAssignmentDeletionRequestId, true)
	return map[string]any{"AccountAssignmentDeletionStatus": status}, err
}

func (c *IdentityCenter) describe(q *request, instance, id string, remove bool) (status any, err error) {
	c.settle(q.who.account, q.now)
	c.read(q.who.account, q.now, 0, func(s centerState) {
		if err = s.ofInstance(instance); err != nil {
			return
		}
		if err = formed("requestId", id, requestID); err != nil {
			return
		}
		op, known := s.operations[id]
		if !known || op.remove != remove {
			err = lacks("Request " + id)
			return
		}
		status = op.status(id)
	})
	return status, err
}

func (c *IdentityCenter) listCreations(q *request) (any, error) {
	return c.listOperations(q, "AccountAssignmentsCreationStatus", false)
}

func (c *IdentityCenter) listDeletions(q *request) (any, error) {
	return c.listOperations(q, "AccountAssignmentsDeletionStatus", true)
}

func (c *IdentityCenter) listOperations(q *request, name string, remove bool) (out any, err error) {
	var in struct {
		InstanceArn string
		Filter      struct{ Status string }
		paged
	}
	if err := q.read(&in); err != nil {
		return nil, err
	}
	c.settle(q.who.account, q.now)
	c.read(q.who.account, q.now, 0, func(s centerState) {
		if err = s.ofInstance(in.InstanceArn); err != nil {
			return
		}
		all := []map[string]any{}
		for _, id := range slices.Sorted(maps.Keys(s.operations)) {
			op := s.operations[id]
			if op.remove == remove && (in.Filter.Status == "" || in.Filter.Status == op.state()) {
				all = append(all, map[string]any{"Status": op.state(), "RequestId": id, "CreatedDate": epoch(op.began)})
			}
		}
		out, err = list(in.paged, name, all)
	})
	return out, err
}

// list answers a page of a list.
func list[T any](q paged, name string, all []T) (any, error) {
	page, next, err := jsonPage(q, all)
	if err != nil {
		return nil, err
	}
	m := map[string]any{name: page}
	if next != nil {
		m["NextToken"] = *next
	}
	return m, nil
}

func (c *IdentityCenter) listAccountAssignments(q *request) (out any, err error) {
	var in struct {
		InstanceArn, AccountId, PermissionSetArn string
		paged
	}
	if err := q.read(&in); err != nil {
		return nil, err
	}
	c.settle(q.who.account, q.now)
	c.read(q.who.account, q.now, q.behind, func(s centerState) {
		_, known := s.sets[in.PermissionSetArn]
		switch err = s.ofInstance(in.InstanceArn); {
		case err != nil:
			return
		case !known:
			err = lacks("PermissionSet " + in.PermissionSetArn)
			return
		case !s.accounts[in.AccountId]:
			err = lacks("Account " + in.AccountId)
			return
		}
		all := []map[string]string{}
		for _, a := range slices.SortedFunc(maps.Keys(s.assigned), func(a, b assignment) int { return strings.Compare(a.principal, b.principal) }) {
			if a.set == in.PermissionSetArn && a.account == in.AccountId {
				all = append(all, map[string]string{"AccountId": a.account, "PermissionSetArn": a.set, "PrincipalId": a.principal, "PrincipalType": a.kind})
			}
		}
		out, err = list(in.paged, "AccountAssignments", all)
	})
	return out, err
}

func (c *IdentityCenter) describePermissionSet(q *request) (out any, err error) {
	var in struct{ InstanceArn, PermissionSetArn string }
	if err := q.read(&in); err != nil {
		return nil, err
	}
	c.read(q.who.account, q.now, 0, func(s centerState) {
		set, known := s.sets[in.PermissionSetArn]
		switch err = s.ofInstance(in.InstanceArn); {
		case err != nil:
		case !known:
			err = lacks("PermissionSet " + in.PermissionSetArn)
		default:
			m := map[string]any{"Name": set.name, "PermissionSetArn": in.PermissionSetArn, "CreatedDate": epoch(q.now)}
			if set.session != "" {
				m["SessionDuration"] = set.session
			}
			out = map[string]any{"PermissionSet": m}
		}
	})
	return out, err
}

func (c *IdentityCenter) describeInstance(q *request) (out any, err error) {
	var in struct{ InstanceArn string }
	if err := q.read(&in); err != nil {
		return nil, err
	}
	c.read(q.who.account, q.now, 0, func(s centerState) {
		if err = s.ofInstance(in.InstanceArn); err == nil {
			out = map[string]any{"InstanceArn": *s.instance, "IdentityStoreId": *s.store, "OwnerAccountId": q.who.account, "Status": "ACTIVE", "CreatedDate": epoch(q.now)}
		}
	})
	return out, err
}

func (c *IdentityCenter) listPermissionSets(q *request) (out any, err error) {
	var in struct {
		InstanceArn string
		paged
	}
	if err := q.read(&in); err != nil {
		return nil, err
	}
	c.read(q.who.account, q.now, 0, func(s centerState) {
		if err = s.ofInstance(in.InstanceArn); err == nil {
			out, err = list(in.paged, "PermissionSets", slices.Sorted(maps.Keys(s.sets)))
		}
	})
	return out, err
}

func (c *IdentityCenter) listAccountsForProvisionedPermissionSet(q *request) (out any, err error) {
	var in struct {
		InstanceArn, PermissionSetArn string
		paged
	}
	if err := q.read(&in); err != nil {
		return nil, err
	}
	c.settle(q.who.account, q.now)
	c.read(q.who.account, q.now, 0, func(s centerState) {
		_, known := s.sets[in.PermissionSetArn]
		switch err = s.ofInstance(in.InstanceArn); {
		case err != nil:
			return
		case !known:
			err = lacks("PermissionSet " + in.PermissionSetArn)
			return
		}
		provisioned := map[string]bool{}
		for a := range s.assigned {
			if a.set == in.PermissionSetArn {
				provisioned[a.account] = true
			}
		}
		out, err = list(in.paged, "AccountIds", slices.Sorted(maps.Keys(provisioned)))
	})
	return out, err
}
