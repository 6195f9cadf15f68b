package client

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/iam"

	"github.com/symflows/symflows/internal/aws/account"
	"github.com/symflows/symflows/internal/flow"
)

const noSuchEntity = "NoSuchEntity"

// How long to leave IAM alone. Its documentation says "a few minutes" of an edit
// by others, and "several minutes" of a name that was deleted and made anew; most
// are over sooner, and somebody waits.
const (
	afterEdit   = 30 * time.Second
	afterRename = 2 * time.Minute
)

// failure says what an error of IAM means.
func failure(err error) error {
	wait := func(after time.Duration, message string) error {
		return &flow.RateLimited{After: after, Cause: &flow.Error{Code: flow.CodeUnavailable, Message: message, Cause: err}}
	}
	switch account.Code(err) {
	case "LimitExceeded", "LimitExceededException":
		return &flow.Error{Code: flow.CodeStrategy, Message: "the user is in as many groups as IAM allows: take them out of one, or have a role grant this", Cause: err}
	case "ConcurrentModification":
		return wait(afterEdit, "somebody else is changing the same at IAM just now")
	case "EntityTemporarilyUnmodifiable":
		return wait(afterRename, "IAM is not done with deleting and making anew the user or the group")
	}
	return account.Failure(err)
}

// gone is what of a membership IAM does not have.
type gone struct {
	group, user         string
	groupGone, userGone bool
}

// gone looks for what an error of IAM did not name. Neither is gone where IAM
// shows the user in the group: reads may be behind.
func (g groups) gone(ctx context.Context, api *iam.Client, group, user string) (gone, error) {
	found := gone{group: group, user: user}
	in, err := member(ctx, api, group, user)
	switch {
	case account.Code(err) == noSuchEntity:
		found.userGone = true
		return found, nil
	case err != nil:
		return found, failure(err)
	case in:
		return found, nil
	}
	one := int32(1)
	_, err = api.GetGroup(ctx, &iam.GetGroupInput{GroupName: &group, MaxItems: &one})
	if account.Code(err) == noSuchEntity {
		found.groupGone = true
		return found, nil
	}
	return found, failure(err)
}

// refusal is the error of a grant.
func (g gone) refusal() error {
	switch {
	case g.userGone:
		return flow.Errorf(flow.CodeIdentity, "IAM has no user %s: make one there, or save who the person is", g.user)
	case g.groupGone:
		return flow.Errorf(flow.CodeStrategy, "IAM has no group %s: make it there, or correct the target", g.group)
	}
	return flow.Errorf(flow.CodeUnavailable, "IAM does not know user %s or group %s everywhere yet", g.user, g.group)
}

// warnings tell of a removal that found nothing to remove from.
func (g gone) warnings() []string {
	switch {
	case g.userGone:
		return []string{"IAM has no user " + g.user + " any more: the access counts as removed"}
	case g.groupGone:
		return []string{"IAM has no group " + g.group + " any more: the access counts as removed"}
	}
	return nil
}
