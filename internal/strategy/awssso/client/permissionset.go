package client

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssoadmin"
	"github.com/aws/aws-sdk-go-v2/service/ssoadmin/types"

	"github.com/symflows/symflows/internal/aws/account"
	"github.com/symflows/symflows/internal/aws/identitycenter"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/pattern"
	"github.com/symflows/symflows/internal/strategy"
	"github.com/symflows/symflows/internal/strategy/awssso"
)

func (c *center) admin(call strategy.Call) *ssoadmin.Client {
	return ssoadmin.NewFromConfig(c.config(call))
}

// assign asks for an assignment. AWS answers before it has made one. To ask for
// one that is there succeeds, and changes nothing.
func (c *center) assign(ctx context.Context, call strategy.Call) (strategy.Result, error) {
	if err := c.begin(ctx, call); err != nil {
		return strategy.Result{}, err
	}
	out, err := c.admin(call).CreateAccountAssignment(ctx, &ssoadmin.CreateAccountAssignmentInput{
		InstanceArn: &c.instance, PermissionSetArn: setting(call, awssso.SettingPermissionSet),
		PrincipalId: &call.Identity, PrincipalType: types.PrincipalTypeUser,
		TargetId: setting(call, awssso.SettingAccount), TargetType: types.TargetTypeAwsAccount,
	})
	if err != nil {
		c.refused(ctx, call, err)
		if identitycenter.Gone(err) {
			return strategy.Result{}, c.nowhere(ctx, call, err)
		}
		return strategy.Result{}, identitycenter.Failure(err)
	}
	return c.accepted(ctx, call, flow.OperationGrant, out.AccountAssignmentCreationStatus)
}

// unassign asks for the removal of an assignment. One that is not there is
// refused at once.
func (c *center) unassign(ctx context.Context, call strategy.Call) (strategy.Result, error) {
	if err := c.begin(ctx, call); err != nil {
		return strategy.Result{}, err
	}
	out, err := c.admin(call).DeleteAccountAssignment(ctx, &ssoadmin.DeleteAccountAssignmentInput{
		InstanceArn: &c.instance, PermissionSetArn: setting(call, awssso.SettingPermissionSet),
		PrincipalId: &call.Identity, PrincipalType: types.PrincipalTypeUser,
		TargetId: setting(call, awssso.SettingAccount), TargetType: types.TargetTypeAwsAccount,
	})
	if err != nil {
		c.refused(ctx, call, err)
		if !identitycenter.Gone(err) {
			return strategy.Result{}, identitycenter.Failure(err)
		}
		var result strategy.Result
		if what, err := c.missing(ctx, call); err == nil && what == theUser {
			result.Warnings = []string{identitycenter.UserGone}
		} else if err == nil && what != "" {
			result.Warnings = []string{"AWS does not have " + what + " any more: the access counts as removed"}
		}
		return result, nil
	}
	result, err := c.accepted(ctx, call, flow.OperationRevoke, out.AccountAssignmentDeletionStatus)
	if there, asked := c.directory(call).HasUser(ctx, call.Identity); asked == nil && !there {
		result.Warnings = []string{identitycenter.UserGone}
	}
	return result, err
}

func setting(call strategy.Call, name string) *string { return aws.String(call.Target.Settings[name]) }

// begin takes a slot for the operation that is about to be asked for. There is one
// under way for an entitlement at a time, so its key names it.
func (c *center) begin(ctx context.Context, call strategy.Call) error {
	if c.accounts.Limiter == nil {
		return nil
	}
	return c.accounts.Limiter.Begin(ctx, c.pace(), call.Class, call.Entitlement.Key)
}

// end frees the slot. If it can't, the slot frees itself.
func (c *center) end(ctx context.Context, call strategy.Call) {
	if c.accounts.Limiter != nil {
		_ = c.accounts.Limiter.End(ctx, c.pace(), call.Entitlement.Key)
	}
}

// refused frees the slot of an operation that AWS did not take on. Where AWS did
// not answer, or says that there is one, it may be under way.
func (c *center) refused(ctx context.Context, call strategy.Call, err error) {
	if code := account.Code(err); code != "" && code != "ConflictException" {
		c.end(ctx, call)
	}
}

// accepted says what AWS answered.
func (c *center) accepted(ctx context.Context, call strategy.Call, kind string, status *types.AccountAssignmentOperationStatus) (strategy.Result, error) {
	under, err := c.progress(ctx, call, kind, status)
	return strategy.Result{Operation: under}, err
}

// progress says how far an operation has come: it is under way, or done (nil), or
// failed.
func (c *center) progress(ctx context.Context, call strategy.Call, kind string, status *types.AccountAssignmentOperationStatus) (*flow.Operation, error) {
	if status == nil {
		return nil, flow.Errorf(flow.CodeUnavailable, "Identity Center answered without saying how far it is")
	}
	switch status.Status {
	case types.StatusValuesSucceeded:
		c.end(ctx, call)
		return nil, nil
	case types.StatusValuesFailed:
		c.end(ctx, call)
		return nil, failed(kind, aws.ToString(status.FailureReason))
	}
	started := c.accounts.Now()
	if status.CreatedDate != nil {
		started = *status.CreatedDate
	}
	return &flow.Operation{ID: aws.ToString(status.RequestId), Kind: kind, Started: started.UTC()}, nil
}

// passing are words of reasons that AWS gives for what may go well the next time.
var passing = pattern.Of(`(?i)throttl|rate exceeded|too many requests|conflict|try again|unable to complete your request at this time|taking longer than usual|internal (server|service|failure)`)

func failed(kind, reason string) error {
	what := "give the access"
	if kind == flow.OperationRevoke {
		what = "take the access away"
	}
	code := flow.CodeStrategy
	if passing.MatchString(reason) {
		code = flow.CodeUnavailable
	}
	if reason == "" {
		reason = "AWS gives no reason"
	}
	return flow.Errorf(code, "Identity Center could not %s: %s", what, flow.Clip(strings.TrimSpace(reason), 500))
}

// Follow looks how far the operation is, or whether there is one.
func (c *center) Follow(ctx context.Context, call strategy.Call, known flow.Operation) (*flow.Operation, error) {
	if call.Target.Type != awssso.PermissionSet {
		return nil, nil
	}
	if known.ID != "" {
		status, err := c.describe(ctx, call, known.Kind, known.ID)
		if identitycenter.Gone(err) { // AWS has forgotten it: what it did is to be seen
			c.end(ctx, call)
			return nil, nil
		}
		if err != nil {
			return nil, identitycenter.Failure(err)
		}
		return c.progress(ctx, call, known.Kind, status)
	}
	for _, kind := range []string{flow.OperationGrant, flow.OperationRevoke} {
		under, err := c.find(ctx, call, kind)
		if under != nil || err != nil {
			return under, err
		}
	}
	c.end(ctx, call)
	return nil, nil
}

func (c *center) describe(ctx context.Context, call strategy.Call, kind, id string) (*types.AccountAssignmentOperationStatus, error) {
	if kind == flow.OperationRevoke {
		out, err := c.admin(call).DescribeAccountAssignmentDeletionStatus(ctx, &ssoadmin.DescribeAccountAssignmentDeletionStatusInput{
			InstanceArn: &c.instance, AccountAssignmentDeletionRequestId: &id,
		})
		if err != nil {
			return nil, err
		}
		return out.AccountAssignmentDeletionStatus, nil
	}
	out, err := c.admin(call).DescribeAccountAssignmentCreationStatus(ctx, &ssoadmin.DescribeAccountAssignmentCreationStatusInput{
		InstanceArn: &c.instance, AccountAssignmentCreationRequestId: &id,
	})
	if err != nil {
		return nil, err
	}
	return out.AccountAssignmentCreationStatus, nil
}

// find looks for an operation of ours among those that are under way. Lists tell
// ids only, so each is asked what it is about; there are 15 at most.
func (c *center) find(ctx context.Context, call strategy.Call, kind string) (*flow.Operation, error) {
	ids, err := c.underWay(ctx, call, kind)
	if err != nil {
		return nil, identitycenter.Failure(err)
	}
	for _, id := range ids {
		status, err := c.describe(ctx, call, kind, id)
		switch {
		case identitycenter.Gone(err):
			continue
		case err != nil:
			return nil, identitycenter.Failure(err)
		case status != nil && status.PrincipalType == types.PrincipalTypeUser && strings.EqualFold(aws.ToString(status.PrincipalId), call.Identity) &&
			aws.ToString(status.TargetId) == call.Target.Settings[awssso.SettingAccount] &&
			aws.ToString(status.PermissionSetArn) == call.Target.Settings[awssso.SettingPermissionSet]:
			if under, err := c.progress(ctx, call, kind, status); under != nil || err != nil {
				return under, err
			}
		}
	}
	return nil, nil
}

func (c *center) underWay(ctx context.Context, call strategy.Call, kind string) ([]string, error) {
	only := &types.OperationStatusFilter{Status: types.StatusValuesInProgress}
	var listed []types.AccountAssignmentOperationStatusMetadata
	if kind == flow.OperationRevoke {
		pages := ssoadmin.NewListAccountAssignmentDeletionStatusPaginator(c.admin(call), &ssoadmin.ListAccountAssignmentDeletionStatusInput{InstanceArn: &c.instance, Filter: only})
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if err != nil {
				return nil, err
			}
			listed = append(listed, page.AccountAssignmentsDeletionStatus...)
		}
	} else {
		pages := ssoadmin.NewListAccountAssignmentCreationStatusPaginator(c.admin(call), &ssoadmin.ListAccountAssignmentCreationStatusInput{InstanceArn: &c.instance, Filter: only})
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if err != nil {
				return nil, err
			}
			listed = append(listed, page.AccountAssignmentsCreationStatus...)
		}
	}
	var ids []string
	for _, operation := range listed {
		ids = append(ids, aws.ToString(operation.RequestId))
	}
	return ids, nil
}

// principals lists who has the target's permission set on its account, by the
// type of principal.
func (c *center) principals(ctx context.Context, call strategy.Call) (map[types.PrincipalType][]string, error) {
	all := map[types.PrincipalType][]string{}
	pages := ssoadmin.NewListAccountAssignmentsPaginator(c.admin(call), &ssoadmin.ListAccountAssignmentsInput{
		InstanceArn: &c.instance, AccountId: setting(call, awssso.SettingAccount), PermissionSetArn: setting(call, awssso.SettingPermissionSet),
		MaxResults: aws.Int32(100),
	})
	for pages.HasMorePages() { // a page may have fewer than asked for, or none
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, a := range page.AccountAssignments {
			all[a.PrincipalType] = append(all[a.PrincipalType], aws.ToString(a.PrincipalId))
		}
	}
	return all, nil
}

func (c *center) observeAssignment(ctx context.Context, call strategy.Call) (strategy.Sight, error) {
	all, err := c.principals(ctx, call)
	switch {
	case identitycenter.Gone(err): // the permission set or the account, and with it the access
		return strategy.Sight{Presence: flow.Absent}, nil
	case err != nil:
		return strategy.Sight{}, identitycenter.Failure(err)
	}
	seen := strategy.Sight{Presence: flow.Absent}
	for _, user := range all[types.PrincipalTypeUser] {
		if strings.EqualFold(user, call.Identity) {
			seen.Presence = flow.Present
		}
	}
	var there bool
	seen.Others, there, err = c.directory(call).Others(ctx, call.Identity, all[types.PrincipalTypeGroup], seen.Presence)
	switch {
	case err != nil && call.Class == strategy.Removing: // it keeps no removal from being seen
		seen.Others = []string{identitycenter.PerhapsOthers}
	case err != nil:
		return strategy.Sight{}, err
	case !there: // what AWS still lists of somebody who was deleted is of no use to anybody
		seen.Presence = flow.Absent
	}
	return seen, nil
}

// Lingers is the permission set's session duration. What a group gives is not
// known: then it is the longest that AWS allows.
func (c *center) Lingers(ctx context.Context, target flow.Target) (time.Duration, error) {
	if target.Type != awssso.PermissionSet {
		return longestSession, nil
	}
	call := strategy.Call{Target: target}
	out, err := c.admin(call).DescribePermissionSet(ctx, &ssoadmin.DescribePermissionSetInput{
		InstanceArn: &c.instance, PermissionSetArn: setting(call, awssso.SettingPermissionSet),
	})
	if err != nil {
		return 0, identitycenter.Failure(err)
	}
	text := ""
	if out.PermissionSet != nil {
		text = aws.ToString(out.PermissionSet.SessionDuration)
	}
	if text == "" {
		return defaultSession, nil
	}
	d, err := time.ParseDuration(strings.ToLower(strings.TrimPrefix(text, "PT"))) // ISO 8601, of hours at most: PT1H30M
	if err != nil || d <= 0 {
		return 0, flow.Errorf(flow.CodeStrategy, "permission set %s has a session duration that can't be read: %q", call.Target.Title(), flow.Clip(text, 40))
	}
	return d, nil
}

// How long sessions of permission sets are, where nothing says so, and at most.
const (
	defaultSession = time.Hour
	longestSession = 12 * time.Hour
)

// missing says which thing that the call names is not at AWS any more, and "" if
// all are there.
func (c *center) missing(ctx context.Context, call strategy.Call) (string, error) {
	_, err := c.admin(call).DescribePermissionSet(ctx, &ssoadmin.DescribePermissionSetInput{
		InstanceArn: &c.instance, PermissionSetArn: setting(call, awssso.SettingPermissionSet),
	})
	switch {
	case identitycenter.Gone(err):
		return "the permission set", nil
	case err != nil:
		return "", identitycenter.Failure(err)
	}
	there, err := c.directory(call).HasUser(ctx, call.Identity)
	switch {
	case err != nil:
		return "", err
	case !there:
		return theUser, nil
	}
	if _, err = c.principals(ctx, call); identitycenter.Gone(err) {
		return "account " + call.Target.Settings[awssso.SettingAccount], nil
	}
	return "", identitycenter.Failure(err)
}

const theUser = "the user"

// nowhere is the error of a grant that names what is not there.
func (c *center) nowhere(ctx context.Context, call strategy.Call, cause error) error {
	what, err := c.missing(ctx, call)
	switch {
	case err != nil:
		return err
	case what == theUser:
		return identitycenter.NoUser(c.frozen, call.Identity, cause)
	case what == "":
		return &flow.Error{Code: flow.CodeStrategy, Message: "Identity Center does not find what the target names: " + identitycenter.Said(cause), Cause: cause}
	}
	return &flow.Error{Code: flow.CodeStrategy, Message: fmt.Sprintf("AWS does not have %s of %s: correct the target", what, call.Target.Title()), Cause: cause}
}
