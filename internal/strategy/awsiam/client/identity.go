package client

import (
	"context"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/symflows/symflows/internal/aws/account"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/strategy"
	"github.com/symflows/symflows/internal/strategy/awsiam"
)

// Identity finds the ARN of the user whose name is the person's e-mail address,
// or who has it in the tag that the strategy names.
func (g groups) Identity(ctx context.Context, who flow.Actor) (string, error) {
	api := g.api(account.Caller{Class: strategy.Granting})
	tag := g.frozen.Settings[awsiam.SettingIdentityTag]
	if tag != "" && who.Email != "" {
		return g.tagged(ctx, api, tag, who)
	}
	if _, name, err := awsiam.User(who.Email); err == nil {
		out, err := api.GetUser(ctx, &iam.GetUserInput{UserName: &name})
		if err == nil {
			return aws.ToString(out.User.Arn), nil
		}
		if account.Code(err) != noSuchEntity {
			return "", failure(err)
		}
	}
	return "", g.unknown(who, "named by their e-mail address")
}

// tagged reads all users: IAM has no search by tags.
func (g groups) tagged(ctx context.Context, api *iam.Client, tag string, who flow.Actor) (string, error) {
	var found []string
	pages := iam.NewGetAccountAuthorizationDetailsPaginator(api, &iam.GetAccountAuthorizationDetailsInput{
		Filter: []types.EntityType{types.EntityTypeUser}, MaxItems: aws.Int32(1000),
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return "", failure(err)
		}
		for _, u := range page.UserDetailList {
			for _, t := range u.Tags {
				if aws.ToString(t.Key) == tag && strings.EqualFold(aws.ToString(t.Value), who.Email) {
					found = append(found, aws.ToString(u.Arn))
				}
			}
		}
	}
	switch len(found) {
	case 0:
		return "", g.unknown(who, "whose tag "+tag+" is their e-mail address")
	case 1:
		return found[0], nil
	}
	return "", flow.Errorf(flow.CodeIdentity, "%s has %d users of IAM in %s (%s), by their tag %s: have an administrator save which one is meant, as who they are at aws_iam",
		who.Display(), len(found), g.in, flow.Clip(strings.Join(found, ", "), 200), tag)
}

func (g groups) unknown(who flow.Actor, how string) error {
	return flow.Errorf(flow.CodeIdentity, "%s has no user of IAM in %s %s: make one, or have an administrator save the ARN of theirs as who they are at aws_iam", who.Display(), g.in, how)
}

// user is the name of the user that an identity means. Where the strategy does
// not say in which account it acts, an ARN is compared with the one that is there:
// somebody else's may have the same name. The error has flow.CodeIdentity if
// there is no such user.
func (g groups) user(ctx context.Context, api *iam.Client, identity string) (string, error) {
	accountID, name, err := awsiam.User(identity)
	if err != nil || accountID == "" || accountID == g.in.ID {
		return name, err
	}
	out, err := api.GetUser(ctx, &iam.GetUserInput{UserName: &name})
	if err != nil && account.Code(err) != noSuchEntity {
		return "", failure(err)
	}
	if err != nil || aws.ToString(out.User.Arn) != identity {
		return "", flow.Errorf(flow.CodeIdentity, "%s has no user %s: have an administrator save who the person is there", g.in, identity)
	}
	return name, nil
}
