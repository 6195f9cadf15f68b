package awsfake

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
)

// store answers for identitystore: users, groups and memberships.
func (c *IdentityCenter) identityStore() *service {
	return &service{
		protocol: awsJSON{"AWSIdentityStore"},
		operations: []*operation{
			{name: "CreateGroupMembership", do: c.createGroupMembership, event: "escalate", whose: func(q *request) string {
				var in struct{ MemberId member }
				_ = q.read(&in)
				return in.MemberId.UserId
			}},
			{name: "DeleteGroupMembership", do: c.deleteGroupMembership, event: "deescalate", whose: func(q *request) string {
				var in struct{ MembershipId string }
				_ = q.read(&in)
				who := ""
				c.read(q.who.account, time.Time{}, 0, func(s centerState) { who = s.members[in.MembershipId].user })
				return who
			}},
			{name: "GetGroupMembershipId", do: c.getGroupMembershipID},
			{name: "IsMemberInGroups", do: c.isMemberInGroups},
			{name: "ListGroupMemberships", do: c.listGroupMemberships},
			{name: "GetUserId", do: c.getUserID},
			{name: "DescribeUser", do: c.describeUser},
			{name: "DescribeGroup", do: c.describeGroup},
			{name: "ListGroups", do: c.listGroups},
		},
		broken: brokenJSON(), denied: deniedJSON("identitystore"), conflict: busy(map[string]any{"Reason": "CONCURRENT_MODIFICATION"}),
		throttled: func(wait time.Duration) *Fault {
			f := throttledJSON(wait)
			if wait > 0 {
				f.Fields = map[string]any{"RetryAfterSeconds": int(wait / time.Second)}
			}
			return f
		},
	}
}

type member struct{ UserId string }

func lacksOf(kind, id string) *Fault {
	return &Fault{http.StatusNotFound, "ResourceNotFoundException", kind + " not found.", map[string]any{"ResourceType": kind, "ResourceId": id}}
}

// ofStore checks the store, group and user that a call names; "" for none.
func (s centerState) ofStore(store, group, user string) error {
	if err := formed("identityStoreId", store, storeID); err != nil {
		return err
	}
	if store != *s.store {
		return lacksOf("IDENTITY_STORE", store)
	}
	for name, id := range map[string]string{"groupId": group, "userId": user} {
		if id == "" {
			continue
		}
		if err := formed(name, id, principalID); err != nil {
			return err
		}
	}
	if _, ok := s.groups[group]; !ok && group != "" {
		return lacksOf("GROUP", group)
	}
	if _, ok := s.users[user]; !ok && user != "" {
		return lacksOf("USER", user)
	}
	return nil
}

func (c *IdentityCenter) createGroupMembership(q *request) (any, error) {
	var in struct {
		IdentityStoreId, GroupId string
		MemberId                 member
	}
	if err := q.read(&in); err != nil {
		return nil, err
	}
	id := ""
	err := c.write(q.who.account, q.now, func(s centerState) error {
		if err := s.ofStore(in.IdentityStoreId, in.GroupId, in.MemberId.UserId); err != nil {
			return err
		}
		if s.membership(in.GroupId, in.MemberId.UserId) != "" {
			return &Fault{http.StatusConflict, "ConflictException", "Member and Group relationship already exists.", map[string]any{"Reason": "UNIQUENESS_CONSTRAINT_VIOLATION"}}
		}
		id = s.id("m")
		s.members[id] = membership{in.GroupId, in.MemberId.UserId}
		return nil
	})
	return map[string]any{"IdentityStoreId": in.IdentityStoreId, "MembershipId": id}, err
}

func (c *IdentityCenter) deleteGroupMembership(q *request) (any, error) {
	var in struct{ IdentityStoreId, MembershipId string }
	if err := q.read(&in); err != nil {
		return nil, err
	}
	return nil, c.write(q.who.account, q.now, func(s centerState) error {
		if err := s.ofStore(in.IdentityStoreId, "", ""); err != nil {
			return err
		}
		if _, ok := s.members[in.MembershipId]; !ok {
			return lacksOf("GROUP_MEMBERSHIP", in.MembershipId)
		}
		delete(s.members, in.MembershipId)
		return nil
	})
}

func (c *IdentityCenter) getGroupMembershipID(q *request) (out any, err error) {
	var in struct {
		IdentityStoreId, GroupId string
		MemberId                 member
	}
	if err := q.read(&in); err != nil {
		return nil, err
	}
	c.read(q.who.account, q.now, q.behind, func(s centerState) {
		if err = s.ofStore(in.IdentityStoreId, in.GroupId, in.MemberId.UserId); err != nil {
			return
		}
		id := s.membership(in.GroupId, in.MemberId.UserId)
		if id == "" {
			err = lacksOf("GROUP_MEMBERSHIP", "")
			return
		}
		out = map[string]any{"IdentityStoreId": in.IdentityStoreId, "MembershipId": id}
	})
	return out, err
}

func (c *IdentityCenter) isMemberInGroups(q *request) (out any, err error) {
	var in struct {
		IdentityStoreId string
		MemberId        member
		GroupIds        []string
	}
	if err := q.read(&in); err != nil {
		return nil, err
	}
	c.read(q.who.account, q.now, q.behind, func(s centerState) {
		if len(in.GroupIds) < 1 || len(in.GroupIds) > 100 {
			err = invalid("groupIds must have 1 to 100 members")
			return
		}
		results := []map[string]any{}
		for _, group := range in.GroupIds {
			if err = s.ofStore(in.IdentityStoreId, group, in.MemberId.UserId); err != nil {
				return
			}
			results = append(results, map[string]any{"GroupId": group, "MemberId": map[string]string{"UserId": in.MemberId.UserId}, "MembershipExists": s.membership(group, in.MemberId.UserId) != ""})
		}
		out = map[string]any{"Results": results}
	})
	return out, err
}

func (c *IdentityCenter) listGroupMemberships(q *request) (out any, err error) {
	var in struct {
		IdentityStoreId, GroupId string
		paged
	}
	if err := q.read(&in); err != nil {
		return nil, err
	}
	c.read(q.who.account, q.now, q.behind, func(s centerState) {
		if err = s.ofStore(in.IdentityStoreId, in.GroupId, ""); err != nil {
			return
		}
		all := []map[string]any{}
		for _, id := range slices.Sorted(maps.Keys(s.members)) {
			if m := s.members[id]; m.group == in.GroupId {
				all = append(all, map[string]any{"IdentityStoreId": in.IdentityStoreId, "MembershipId": id, "GroupId": m.group, "MemberId": map[string]string{"UserId": m.user}})
			}
		}
		out, err = list(in.paged, "GroupMemberships", all)
	})
	return out, err
}

func (c *IdentityCenter) getUserID(q *request) (out any, err error) {
	var in struct {
		IdentityStoreId     string
		AlternateIdentifier struct {
			UniqueAttribute struct{ AttributePath, AttributeValue string }
		}
	}
	if err := q.read(&in); err != nil {
		return nil, err
	}
	by := in.AlternateIdentifier.UniqueAttribute
	if !slices.Contains([]string{"emails.value", "userName"}, strings.TrimSpace(by.AttributePath)) {
		return nil, invalid("The attribute path %s is not supported", by.AttributePath)
	}
	c.read(q.who.account, q.now, 0, func(s centerState) {
		if err = s.ofStore(in.IdentityStoreId, "", ""); err != nil {
			return
		}
		for id, u := range s.users {
			if by.AttributePath == "userName" && strings.EqualFold(u.name, by.AttributeValue) || by.AttributePath == "emails.value" && strings.EqualFold(u.email, by.AttributeValue) {
				out = map[string]any{"IdentityStoreId": in.IdentityStoreId, "UserId": id}
				return
			}
		}
		err = lacksOf("USER", "")
	})
	return out, err
}

func (c *IdentityCenter) describeUser(q *request) (out any, err error) {
	var in struct{ IdentityStoreId, UserId string }
	if err := q.read(&in); err != nil {
		return nil, err
	}
	c.read(q.who.account, q.now, 0, func(s centerState) {
		if err = s.ofStore(in.IdentityStoreId, "", in.UserId); err == nil {
			u := s.users[in.UserId]
			out = map[string]any{"IdentityStoreId": in.IdentityStoreId, "UserId": in.UserId, "UserName": u.name, "Emails": []map[string]any{{"Value": u.email, "Primary": true}}}
		}
	})
	return out, err
}

func (c *IdentityCenter) describeGroup(q *request) (out any, err error) {
	var in struct{ IdentityStoreId, GroupId string }
	if err := q.read(&in); err != nil {
		return nil, err
	}
	c.read(q.who.account, q.now, 0, func(s centerState) {
		if err = s.ofStore(in.IdentityStoreId, in.GroupId, ""); err == nil {
			out = map[string]any{"IdentityStoreId": in.IdentityStoreId, "GroupId": in.GroupId, "DisplayName": s.groups[in.GroupId]}
		}
	})
	return out, err
}

func (c *IdentityCenter) listGroups(q *request) (out any, err error) {
	var in struct {
		IdentityStoreId string
		paged
	}
	if err := q.read(&in); err != nil {
		return nil, err
	}
	c.read(q.who.account, q.now, 0, func(s centerState) {
		if err = s.ofStore(in.IdentityStoreId, "", ""); err != nil {
			return
		}
		all := []map[string]any{}
		for _, id := range slices.Sorted(maps.Keys(s.groups)) {
			m := map[string]any{"IdentityStoreId": in.IdentityStoreId, "GroupId": id, "DisplayName": s.groups[id]}
			if strings.HasSuffix(s.groups[id], "@idp") {
				m["ExternalIds"] = []map[string]string{{"Id": id, "Issuer": "https://idp.example.com"}}
			}
			all = append(all, m)
		}
		out, err = list(in.paged, "Groups", all)
	})
	return out, err
}
