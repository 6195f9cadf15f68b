package identitycenter

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/identitystore"
	"github.com/aws/aws-sdk-go-v2/service/identitystore/document"
	"github.com/aws/aws-sdk-go-v2/service/identitystore/types"
	"github.com/aws/aws-sdk-go-v2/service/ssoadmin"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/strategy"
)

// Stores remembers the identity stores of instances, which never change. Its
// methods are safe for concurrent use; the zero value knows none.
type Stores struct {
	mu  sync.Mutex
	ids map[string]string // by the instance's ARN
}

// Directory is the identity store of an instance. Its methods' errors are those
// of [Failure].
type Directory struct {
	Stores   *Stores // required
	Instance string  // the instance's ARN
	Store    string  // the identity store's id; "": the instance is asked
	AWS      aws.Config
}

// Pace is how fast Identity Center may be asked, for an instance and the account
// from which it is. AWS counts the calls of all its APIs together, and has 15
// changes of assignments under way at a time.
func Pace(instance string, in strategy.AWSAccount) strategy.Pace {
	return strategy.Pace{
		Key:   "identity_center/" + instance + "/" + in.ID,
		Calls: [3]int{strategy.Looking: 5, strategy.Granting: 15, strategy.Removing: 20},
		Slots: [3]int{strategy.Granting: 12, strategy.Removing: 15},
	}
}

// ID gives the identity store's id.
func (d Directory) ID(ctx context.Context) (string, error) {
	if d.Store != "" {
		return d.Store, nil
	}
	if id, known := d.Stores.get(d.Instance); known {
		return id, nil
	}
	out, err := ssoadmin.NewFromConfig(d.AWS).DescribeInstance(ctx, &ssoadmin.DescribeInstanceInput{InstanceArn: &d.Instance})
	if err != nil {
		if Gone(err) {
			return "", flow.Errorf(flow.CodeStrategy, "there is no instance %s of Identity Center in this region: correct the strategy's instance_arn, or the integration's region", d.Instance)
		}
		return "", Failure(err)
	}
	id := aws.ToString(out.IdentityStoreId)
	d.Stores.set(d.Instance, id)
	return id, nil
}

func (s *Stores) get(instance string) (string, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	id, known := s.ids[instance]
	return id, known
}

func (s *Stores) set(instance, id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ids == nil {
		s.ids = map[string]string{}
	}
	s.ids[instance] = id
}

// Client gives the client of the identity store.
func (d Directory) Client() *identitystore.Client { return identitystore.NewFromConfig(d.AWS) }

// Identity finds the user who has a person's e-mail address, or else the one whose
// user name it is. The error has flow.CodeIdentity if there is none.
func (d Directory) Identity(ctx context.Context, s flow.Strategy, who flow.Actor) (string, error) {
	if who.Email == "" {
		return "", flow.Errorf(flow.CodeIdentity, "%s can't be found in Identity Center, because no e-mail address of theirs is known: %s", who.Display(), strategy.SaveDirectoryUser(s))
	}
	store, err := d.ID(ctx)
	if err != nil {
		return "", err
	}
	for _, path := range []string{"emails.value", "userName"} { // AWS knows no others
		out, err := d.Client().GetUserId(ctx, &identitystore.GetUserIdInput{
			IdentityStoreId: &store,
			AlternateIdentifier: &types.AlternateIdentifierMemberUniqueAttribute{Value: types.UniqueAttribute{
				AttributePath: &path, AttributeValue: document.NewLazyDocument(who.Email),
			}},
		})
		switch {
		case err == nil:
			return aws.ToString(out.UserId), nil
		case !Lacks(err, types.ResourceTypeUser):
			return "", Failure(err)
		}
	}
	return "", flow.Errorf(flow.CodeIdentity, "Identity Center has no user with the e-mail address or the user name %s: make one there, or %s", who.Email, strategy.SaveDirectoryUser(s))
}

// NoUser is the error of a user who is not there any more.
func NoUser(s flow.Strategy, user string, cause error) error {
	return &flow.Error{Code: flow.CodeIdentity, Message: "Identity Center has no user " + user + " any more: " + strategy.SaveDirectoryUser(s), Cause: cause}
}

// UserGone warns of a removal from somebody who was deleted.
const UserGone = "Identity Center does not have the user any more: the access counts as removed"

// HasUser tells whether there is a user of this id.
func (d Directory) HasUser(ctx context.Context, user string) (bool, error) {
	store, err := d.ID(ctx)
	if err != nil {
		return false, err
	}
	_, err = d.Client().DescribeUser(ctx, &identitystore.DescribeUserInput{IdentityStoreId: &store, UserId: &user})
	if Lacks(err, types.ResourceTypeUser) {
		return false, nil
	}
	return err == nil, Failure(err)
}

// maxGroups is how many groups one question may name.
const maxGroups = 100

// Among gives those of the groups of which the user is a member, by their ids, and
// whether there is such a user. Nobody is a member of a group that is not there.
func (d Directory) Among(ctx context.Context, user string, groups []string) (in []string, there bool, err error) {
	store, err := d.ID(ctx)
	if err != nil {
		return nil, false, err
	}
	for some := range slices.Chunk(groups, maxGroups) {
		out, err := d.Client().IsMemberInGroups(ctx, &identitystore.IsMemberInGroupsInput{
			IdentityStoreId: &store, MemberId: Member(user), GroupIds: some,
		})
		switch {
		case Lacks(err, types.ResourceTypeUser):
			return nil, false, nil
		case Lacks(err, types.ResourceTypeGroup) && len(some) > 1: // one of them
			for _, one := range some {
				is, there, err := d.Among(ctx, user, []string{one})
				if err != nil || !there {
					return nil, there, err
				}
				in = append(in, is...)
			}
			continue
		case Lacks(err, types.ResourceTypeGroup): // which says nothing of the user
			if there, err := d.HasUser(ctx, user); err != nil || !there {
				return nil, false, err
			}
			continue
		case err != nil:
			return nil, false, Failure(err)
		}
		for _, r := range out.Results {
			if r.MembershipExists {
				in = append(in, aws.ToString(r.GroupId))
			}
		}
	}
	return in, true, nil
}

// PerhapsOthers says that it could not be found out who else gives the same.
const PerhapsOthers = "perhaps a group: Identity Center could not be asked who is a member"

// Others names those of the groups that have the user as a member, for people, and
// says whether there is such a user, where that matters: of one who is seen.
func (d Directory) Others(ctx context.Context, user string, groups []string, seen flow.Presence) (names []string, there bool, err error) {
	if len(groups) == 0 {
		if seen == flow.Absent {
			return nil, true, nil
		}
		there, err = d.HasUser(ctx, user)
		return nil, there, err
	}
	in, there, err := d.Among(ctx, user, groups)
	if err != nil {
		return nil, false, err
	}
	for _, group := range in {
		name, err := d.name(ctx, group)
		if err != nil {
			return nil, false, err
		}
		names = append(names, "group "+flow.Clip(name, 100)+" of Identity Center")
	}
	return names, there, nil
}

// name gives the name of a group, and its id if it has none.
func (d Directory) name(ctx context.Context, group string) (string, error) {
	store, err := d.ID(ctx)
	if err != nil {
		return "", err
	}
	out, err := d.Client().DescribeGroup(ctx, &identitystore.DescribeGroupInput{IdentityStoreId: &store, GroupId: &group})
	switch {
	case Lacks(err, types.ResourceTypeGroup):
		return group, nil
	case err != nil:
		return "", Failure(err)
	case aws.ToString(out.DisplayName) == "":
		return group, nil
	}
	return *out.DisplayName, nil
}

// Group is a group of the identity store.
type Group struct {
	ID, Name string
	// Foreign says that an identity provider keeps it: its members are those that
	// the provider says.
	Foreign bool
}

// Groups lists them all, in the order in which AWS does.
func (d Directory) Groups(ctx context.Context) ([]Group, error) {
	store, err := d.ID(ctx)
	if err != nil {
		return nil, err
	}
	var all []Group
	for pages := identitystore.NewListGroupsPaginator(d.Client(), &identitystore.ListGroupsInput{IdentityStoreId: &store, MaxResults: aws.Int32(100)}); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, Failure(err)
		}
		for _, g := range page.Groups {
			all = append(all, Group{aws.ToString(g.GroupId), aws.ToString(g.DisplayName), len(g.ExternalIds) > 0})
		}
	}
	return all, nil
}

// Member names a user as a member of groups.
func Member(user string) types.MemberId { return &types.MemberIdMemberUserId{Value: user} }

// Lacks tells whether AWS refused because the identity store has no such thing of
// a type. AWS also says so of keys that encrypt the store: that is another matter.
func Lacks(err error, what types.ResourceType) bool {
	missing, ok := errors.AsType[*types.ResourceNotFoundException](err)
	return ok && missing.Reason == "" && missing.ResourceType == what
}
