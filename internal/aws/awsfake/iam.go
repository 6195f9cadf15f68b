package awsfake

import (
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// IAM keeps users and groups of accounts.
type IAM struct {
	fake *Fake
	ledger[iamState]
}

// iamState is what an account has, by names.
type iamState struct {
	users   map[string]iamUser
	groups  map[string]string          // paths
	members map[string]map[string]bool // by group, user
}

type iamUser struct {
	path string
	tags map[string]string
}

// groupsOfUser is AWS's quota.
const groupsOfUser = 10

func newIAM(f *Fake) *IAM {
	return &IAM{f, ledger[iamState]{
		empty: func() iamState {
			return iamState{map[string]iamUser{}, map[string]string{}, map[string]map[string]bool{}}
		},
		copied: func(s iamState) iamState {
			members := map[string]map[string]bool{}
			for group, users := range s.members {
				members[group] = maps.Clone(users)
			}
			return iamState{maps.Clone(s.users), maps.Clone(s.groups), members}
		},
	}}
}

// AddUser makes a user; its path is "/" or "/staff/".
func (i *IAM) AddUser(account, path, name string, tags map[string]string) {
	i.must(account, func(s iamState) { s.users[name] = iamUser{path, tags} })
}

// AddGroup makes a group.
func (i *IAM) AddGroup(account, path, name string) {
	i.must(account, func(s iamState) { s.groups[name] = path })
}

// DeleteUser takes a user away, out of its groups as well.
func (i *IAM) DeleteUser(account, name string) {
	i.must(account, func(s iamState) {
		delete(s.users, name)
		for _, users := range s.members {
			delete(users, name)
		}
	})
}

// DeleteGroup takes a group away.
func (i *IAM) DeleteGroup(account, name string) {
	i.must(account, func(s iamState) {
		delete(s.groups, name)
		delete(s.members, name)
	})
}

// Join puts a user into a group, as an administrator would.
func (i *IAM) Join(account, group, user string) {
	i.must(account, func(s iamState) { s.join(group, user) })
}

// Leave takes a user out of a group, as an administrator would.
func (i *IAM) Leave(account, group, user string) {
	i.must(account, func(s iamState) { delete(s.members[group], user) })
}

// In tells whether a user is in a group now.
func (i *IAM) In(account, group, user string) bool {
	in := false
	i.read(account, time.Time{}, 0, func(s iamState) { in = s.members[group][user] })
	return in
}

func (i *IAM) must(account string, change func(iamState)) {
	if err := i.write(account, i.fake.Now(), func(s iamState) error { change(s); return nil }); err != nil {
		panic(err)
	}
}

func (s iamState) join(group, user string) {
	if s.members[group] == nil {
		s.members[group] = map[string]bool{}
	}
	s.members[group][user] = true
}

func (i *IAM) service() *service {
	user := func(q *request) string { return q.form.Get("UserName") }
	return &service{
		protocol: awsQuery{"2010-05-08"},
		operations: []*operation{
			{name: "AddUserToGroup", do: i.addUserToGroup, event: "escalate", whose: user},
			{name: "RemoveUserFromGroup", do: i.removeUserFromGroup, event: "deescalate", whose: user},
			{name: "ListGroupsForUser", do: i.listGroupsForUser},
			{name: "GetGroup", do: i.getGroup},
			{name: "GetUser", do: i.getUser},
			{name: "ListGroups", do: i.listGroups},
			{name: "GetAccountAuthorizationDetails", do: i.getAccountAuthorizationDetails},
		},
		broken:   &Fault{http.StatusInternalServerError, "ServiceFailure", "The request processing has failed because of an unknown error, exception or failure.", nil},
		conflict: &Fault{http.StatusConflict, "ConcurrentModification", "The request was rejected because multiple requests to change this object were submitted simultaneously.", nil},
		denied:   denied("iam"),
		throttled: func(time.Duration) *Fault {
			return &Fault{http.StatusBadRequest, "Throttling", "Rate exceeded", nil}
		},
	}
}

var iamName = regexp.MustCompile(`^[A-Za-z0-9_+=,.@-]{1,128}$`)

// named checks the names that an operation is given.
func (q *request) named(names ...string) error {
	for _, name := range names {
		if v := q.form.Get(name); !iamName.MatchString(v) {
			return &Fault{http.StatusBadRequest, "ValidationError", fmt.Sprintf("The specified value for %s is invalid. It must contain only alphanumeric characters and/or the following: +=,.@_-", strings.ToLower(name[:1])+name[1:]), nil}
		}
	}
	return nil
}

func noSuch(what, name string) *Fault {
	return &Fault{http.StatusNotFound, "NoSuchEntity", fmt.Sprintf("The %s with name %s cannot be found.", what, name), nil}
}

func (s iamState) there(group, user string) error {
	if _, ok := s.groups[group]; !ok && group != "" {
		return noSuch("group", group)
	}
	if _, ok := s.users[user]; !ok && user != "" {
		return noSuch("user", user)
	}
	return nil
}

func (i *IAM) addUserToGroup(q *request) (any, error) {
	if err := q.named("GroupName", "UserName"); err != nil {
		return nil, err
	}
	group, user := q.form.Get("GroupName"), q.form.Get("UserName")
	return nil, i.write(q.who.account, q.now, func(s iamState) error {
		if err := s.there(group, user); err != nil {
			return err
		}
		if s.members[group][user] {
			return nil // it succeeds silently
		}
		if len(s.groupsOf(user)) >= groupsOfUser {
			return &Fault{http.StatusConflict, "LimitExceeded", fmt.Sprintf("Cannot exceed quota for GroupsPerUser: %d", groupsOfUser), nil}
		}
		s.join(group, user)
		return nil
	})
}

func (i *IAM) removeUserFromGroup(q *request) (any, error) {
	if err := q.named("GroupName", "UserName"); err != nil {
		return nil, err
	}
	group, user := q.form.Get("GroupName"), q.form.Get("UserName")
	return nil, i.write(q.who.account, q.now, func(s iamState) error {
		if err := s.there(group, user); err != nil {
			return err
		}
		if !s.members[group][user] {
			return &Fault{http.StatusNotFound, "NoSuchEntity", fmt.Sprintf("User %s is not in group %s", user, group), nil}
		}
		delete(s.members[group], user)
		return nil
	})
}

func (s iamState) groupsOf(user string) []string {
	var groups []string
	for group, users := range s.members {
		if users[user] {
			groups = append(groups, group)
		}
	}
	slices.Sort(groups)
	return groups
}

// page cuts a list as the caller asks, and says where the next one begins.
func page[T any](q *request, list []T) (part []T, truncated bool, marker string, err error) {
	from, most := 0, 100
	if m := q.form.Get("Marker"); m != "" {
		if from, err = strconv.Atoi(strings.TrimPrefix(m, "at-")); err != nil || from > len(list) {
			return nil, false, "", &Fault{http.StatusBadRequest, "ValidationError", "Invalid Marker.", nil}
		}
	}
	if m := q.form.Get("MaxItems"); m != "" {
		if most, err = strconv.Atoi(m); err != nil || most < 1 || most > 1000 {
			return nil, false, "", &Fault{http.StatusBadRequest, "ValidationError", "MaxItems", nil}
		}
	}
	to := min(from+most, len(list))
	if to < len(list) {
		return list[from:to], true, fmt.Sprintf("at-%d", to), nil
	}
	return list[from:], false, "", nil
}

type xmlGroup struct {
	Path       string
	GroupName  string
	GroupID    string `xml:"GroupId"`
	Arn        string
	CreateDate string
}

type xmlUser struct {
	Path       string
	UserName   string
	UserID     string `xml:"UserId"`
	Arn        string
	CreateDate string
}

const created = "2026-01-01T00:00:00Z"

func (s iamState) group(account, name string) xmlGroup {
	return xmlGroup{s.groups[name], name, "AGPA" + strings.ToUpper(name), "arn:aws:iam::" + account + ":group" + s.groups[name] + name, created}
}

func (s iamState) user(account, name string) xmlUser {
	return xmlUser{s.users[name].path, name, "AIDA" + strings.ToUpper(name), "arn:aws:iam::" + account + ":user" + s.users[name].path + name, created}
}

func (i *IAM) listGroupsForUser(q *request) (any, error) {
	if err := q.named("UserName"); err != nil {
		return nil, err
	}
	var out struct {
		Groups struct {
			Members []xmlGroup `xml:"member"`
		}
		IsTruncated bool
		Marker      string `xml:",omitempty"`
	}
	var err error
	i.read(q.who.account, q.now, q.behind, func(s iamState) {
		if err = s.there("", q.form.Get("UserName")); err != nil {
			return
		}
		var all []xmlGroup
		for _, name := range s.groupsOf(q.form.Get("UserName")) {
			all = append(all, s.group(q.who.account, name))
		}
		out.Groups.Members, out.IsTruncated, out.Marker, err = page(q, all)
	})
	return out, err
}

func (i *IAM) getGroup(q *request) (any, error) {
	if err := q.named("GroupName"); err != nil {
		return nil, err
	}
	var out struct {
		Group xmlGroup
		Users struct {
			Members []xmlUser `xml:"member"`
		}
		IsTruncated bool
		Marker      string `xml:",omitempty"`
	}
	name := q.form.Get("GroupName")
	var err error
	i.read(q.who.account, q.now, q.behind, func(s iamState) {
		if err = s.there(name, ""); err != nil {
			return
		}
		out.Group = s.group(q.who.account, name)
		var all []xmlUser
		for _, user := range slices.Sorted(maps.Keys(s.members[name])) {
			all = append(all, s.user(q.who.account, user))
		}
		out.Users.Members, out.IsTruncated, out.Marker, err = page(q, all)
	})
	return out, err
}

func (i *IAM) getUser(q *request) (any, error) {
	if err := q.named("UserName"); err != nil {
		return nil, err
	}
	var out struct{ User xmlUser }
	var err error
	i.read(q.who.account, q.now, q.behind, func(s iamState) {
		if err = s.there("", q.form.Get("UserName")); err == nil {
			out.User = s.user(q.who.account, q.form.Get("UserName"))
		}
	})
	return out, err
}

func (i *IAM) listGroups(q *request) (any, error) {
	var out struct {
		Groups struct {
			Members []xmlGroup `xml:"member"`
		}
		IsTruncated bool
		Marker      string `xml:",omitempty"`
	}
	var err error
	i.read(q.who.account, q.now, q.behind, func(s iamState) {
		var all []xmlGroup
		for _, name := range slices.Sorted(maps.Keys(s.groups)) {
			all = append(all, s.group(q.who.account, name))
		}
		out.Groups.Members, out.IsTruncated, out.Marker, err = page(q, all)
	})
	return out, err
}

// getAccountAuthorizationDetails is the one operation that lists users with their
// tags.
func (i *IAM) getAccountAuthorizationDetails(q *request) (any, error) {
	type tag struct{ Key, Value string }
	type detail struct {
		xmlUser
		Tags struct {
			Members []tag `xml:"member"`
		}
	}
	var out struct {
		UserDetailList struct {
			Members []detail `xml:"member"`
		}
		IsTruncated bool
		Marker      string `xml:",omitempty"`
	}
	if q.form.Get("Filter.member.1") != "User" || q.form.Get("Filter.member.2") != "" {
		return nil, &Fault{http.StatusBadRequest, "ValidationError", "this fake lists users only", nil}
	}
	var err error
	i.read(q.who.account, q.now, q.behind, func(s iamState) {
		var all []detail
		for _, name := range slices.Sorted(maps.Keys(s.users)) {
			d := detail{xmlUser: s.user(q.who.account, name)}
			for _, k := range slices.Sorted(maps.Keys(s.users[name].tags)) {
				d.Tags.Members = append(d.Tags.Members, tag{k, s.users[name].tags[k]})
			}
			all = append(all, d)
		}
		out.UserDetailList.Members, out.IsTruncated, out.Marker, err = page(q, all)
	})
	return out, err
}
