package awsfake

import (
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// IdentityCenter keeps the instances of IAM Identity Center, one an account, and
// what is theirs: the identity store (identitystore.go), assignments of permission
// sets (ssoadmin.go) and of roles (accountaccess.go).
type IdentityCenter struct {
	fake *Fake
	ledger[centerState]

	settings sync.Mutex
	lasts    time.Duration
}

// centerState is what an account's instance has, by ids.
type centerState struct {
	instance, store, application *string
	users                        map[string]storeUser
	groups                       map[string]string     // display names
	members                      map[string]membership // by membership id
	sets                         map[string]permissionSet
	accounts                     map[string]bool
	assigned                     map[assignment]bool
	operations                   map[string]assigning // by request id
	entitled                     map[string]entitled  // by entitlement id
	roles                        map[string]bool      // that may be entitled to, by ARN
	made                         *int                 // how many ids were given
}

type storeUser struct{ name, email string }

type membership struct{ group, user string }

type permissionSet struct{ name, session string }

// The types of principals.
const (
	user  = "USER"
	group = "GROUP"
)

// assignment is of a permission set on an account.
type assignment struct{ set, account, kind, principal string }

// assigning is an operation on an assignment.
type assigning struct {
	assignment
	remove      bool
	began, done time.Time
	held        bool // until Finish
	failure     string
	settled     bool
}

// entitled is of a role.
type entitled struct {
	kind, principal, role string
	at                    time.Time
}

func newIdentityCenter(f *Fake) *IdentityCenter {
	return &IdentityCenter{fake: f, ledger: ledger[centerState]{
		empty: func() centerState {
			return centerState{
				new(string), new(string), new(string), map[string]storeUser{}, map[string]string{}, map[string]membership{}, map[string]permissionSet{},
				map[string]bool{}, map[assignment]bool{}, map[string]assigning{}, map[string]entitled{}, map[string]bool{}, new(int),
			}
		},
		copied: func(s centerState) centerState {
			instance, store, application, made := *s.instance, *s.store, *s.application, *s.made
			return centerState{
				&instance, &store, &application, maps.Clone(s.users), maps.Clone(s.groups), maps.Clone(s.members), maps.Clone(s.sets),
				maps.Clone(s.accounts), maps.Clone(s.assigned), maps.Clone(s.operations), maps.Clone(s.entitled), maps.Clone(s.roles), &made,
			}
		},
	}}
}

// AddInstance makes the instance of an account, with its identity store and its
// application of the account access manager.
func (c *IdentityCenter) AddInstance(account, arn, store, application string) {
	c.must(account, func(s centerState) { *s.instance, *s.store, *s.application = arn, store, application })
}

// AddUser makes a user of the identity store.
func (c *IdentityCenter) AddUser(account, id, name, email string) {
	c.must(account, func(s centerState) { s.users[id] = storeUser{name, email} })
}

// DeleteUser takes a user away, and out of groups. What is assigned to them stays.
func (c *IdentityCenter) DeleteUser(account, id string) {
	c.must(account, func(s centerState) {
		delete(s.users, id)
		maps.DeleteFunc(s.members, func(_ string, m membership) bool { return m.user == id })
	})
}

// AddGroup makes a group of the identity store.
func (c *IdentityCenter) AddGroup(account, id, name string) {
	c.must(account, func(s centerState) { s.groups[id] = name })
}

// DeleteGroup takes a group away, and its memberships.
func (c *IdentityCenter) DeleteGroup(account, id string) {
	c.must(account, func(s centerState) {
		delete(s.groups, id)
		maps.DeleteFunc(s.members, func(_ string, m membership) bool { return m.group == id })
	})
}

// Join puts a user into a group, as an administrator would.
func (c *IdentityCenter) Join(account, group, user string) {
	c.must(account, func(s centerState) { s.members[s.id("m")] = membership{group, user} })
}

// Leave takes a user out of a group, as an administrator would.
func (c *IdentityCenter) Leave(account, group, user string) {
	c.must(account, func(s centerState) { delete(s.members, s.membership(group, user)) })
}

// In tells whether a user is in a group now.
func (c *IdentityCenter) In(account, group, user string) bool {
	in := false
	c.look(account, func(s centerState) { in = s.membership(group, user) != "" })
	return in
}

// AddAccount adds an account to the organization.
func (c *IdentityCenter) AddAccount(account, member string) {
	c.must(account, func(s centerState) { s.accounts[member] = true })
}

// RemoveAccount takes an account out of the organization, and what is assigned in
// it.
func (c *IdentityCenter) RemoveAccount(account, member string) {
	c.must(account, func(s centerState) {
		delete(s.accounts, member)
		maps.DeleteFunc(s.assigned, func(a assignment, _ bool) bool { return a.account == member })
	})
}

// AddPermissionSet makes a permission set; its session duration is like "PT8H".
func (c *IdentityCenter) AddPermissionSet(account, arn, name, session string) {
	c.must(account, func(s centerState) { s.sets[arn] = permissionSet{name, session} })
}

// DeletePermissionSet takes a permission set away, and what is assigned of it.
func (c *IdentityCenter) DeletePermissionSet(account, arn string) {
	c.must(account, func(s centerState) {
		delete(s.sets, arn)
		maps.DeleteFunc(s.assigned, func(a assignment, _ bool) bool { return a.set == arn })
	})
}

// Assign assigns a permission set at once, as an administrator would have done
// before. The type of principal is "USER" or "GROUP".
func (c *IdentityCenter) Assign(account, set, member, kind, principal string) {
	c.must(account, func(s centerState) { s.assigned[assignment{set, member, kind, principal}] = true })
}

// Unassign takes an assignment away at once.
func (c *IdentityCenter) Unassign(account, set, member, kind, principal string) {
	c.must(account, func(s centerState) { delete(s.assigned, assignment{set, member, kind, principal}) })
}

// Assigned tells whether a permission set is assigned now.
func (c *IdentityCenter) Assigned(account, set, member, kind, principal string) bool {
	is := false
	c.look(account, func(s centerState) { is = s.assigned[assignment{set, member, kind, principal}] })
	return is
}

// Lasts has operations be under way for so long; 0: they are done when their state
// is asked for.
func (c *IdentityCenter) Lasts(d time.Duration) {
	c.settings.Lock()
	defer c.settings.Unlock()
	c.lasts = d
}

// Finish ends the operations of an account's instance that began while the fake
// was Slow or Forgetful: with success if reason is "", else without effect.
func (c *IdentityCenter) Finish(account, reason string) {
	c.must(account, func(s centerState) {
		for id, op := range s.operations {
			if op.held {
				op.held, op.failure = false, reason
				s.operations[id] = op
			}
		}
	})
}

// AddRole lets a role be entitled to.
func (c *IdentityCenter) AddRole(account, arn string) {
	c.must(account, func(s centerState) { s.roles[arn] = true })
}

// RemoveRole takes a role away. What is entitled to it stays.
func (c *IdentityCenter) RemoveRole(account, arn string) {
	c.must(account, func(s centerState) { delete(s.roles, arn) })
}

// Entitle entitles a principal to a role, as an administrator would.
func (c *IdentityCenter) Entitle(account, role, kind, principal string) {
	c.must(account, func(s centerState) { s.entitled[s.id("e")] = entitled{kind, principal, role, c.fake.Now()} })
}

// Disentitle takes that away, as an administrator would.
func (c *IdentityCenter) Disentitle(account, role, kind, principal string) {
	c.must(account, func(s centerState) { delete(s.entitled, s.entitlement(kind, principal, role)) })
}

// Entitled tells whether a principal is entitled to a role now.
func (c *IdentityCenter) Entitled(account, role, kind, principal string) bool {
	is := false
	c.look(account, func(s centerState) { is = s.entitlement(kind, principal, role) != "" })
	return is
}

func (c *IdentityCenter) must(account string, change func(centerState)) {
	if err := c.write(account, c.fake.Now(), func(s centerState) error { change(s); return nil }); err != nil {
		panic(err)
	}
}

// look reads what is there now, with what operations have done by now.
func (c *IdentityCenter) look(account string, look func(centerState)) {
	now := c.fake.Now()
	c.settle(account, now)
	c.read(account, now, 0, look)
}

// settle does what operations have had the time for.
func (c *IdentityCenter) settle(account string, now time.Time) {
	var due []string
	c.read(account, now, 0, func(s centerState) {
		for id, op := range s.operations {
			if !op.settled && !op.held && !now.Before(op.done) {
				due = append(due, id)
			}
		}
		slices.SortFunc(due, func(a, b string) int { return s.operations[a].done.Compare(s.operations[b].done) })
	})
	for _, id := range due {
		_ = c.write(account, now, func(s centerState) error {
			op := s.operations[id]
			op.settled = true
			s.operations[id] = op
			switch {
			case op.failure != "":
			case op.remove:
				delete(s.assigned, op.assignment)
			default:
				s.assigned[op.assignment] = true
			}
			return nil
		})
	}
}

// id gives a new one, as of everything that has one.
func (s centerState) id(prefix string) string {
	*s.made++
	return fmt.Sprintf("%s%07d-1111-4222-8333-%012d", map[string]string{"m": "a", "e": "b", "r": "c"}[prefix], *s.made, *s.made)
}

func (s centerState) membership(group, user string) string {
	for id, m := range s.members {
		if m.group == group && m.user == user {
			return id
		}
	}
	return ""
}

func (s centerState) entitlement(kind, principal, role string) string {
	for id, e := range s.entitled {
		if e.kind == kind && e.principal == principal && e.role == role {
			return id
		}
	}
	return ""
}

// What AWS's references say of ids.
var (
	instanceID      = regexp.MustCompile(`^arn:aws:sso:::instance/(sso)?ins-[a-zA-Z0-9-.]{16}$`)
	permissionSetID = regexp.MustCompile(`^arn:aws:sso:::permissionSet/(sso)?ins-[a-zA-Z0-9-.]{16}/ps-[a-zA-Z0-9-./]{16}$`)
	memberAccountID = regexp.MustCompile(`^\d{12}$`)
	principalID     = regexp.MustCompile(`^([0-9a-f]{10}-|)[A-Fa-f0-9]{8}-[A-Fa-f0-9]{4}-[A-Fa-f0-9]{4}-[A-Fa-f0-9]{4}-[A-Fa-f0-9]{12}$`)
	storeID         = regexp.MustCompile(`^d-[0-9a-f]{10}$`)
	requestID       = regexp.MustCompile(`^[a-f0-9]{8}-[a-f0-9]{4}-[a-f0-9]{4}-[a-f0-9]{4}-[a-f0-9]{12}$`)
)

func invalid(format string, args ...any) *Fault {
	return &Fault{http.StatusBadRequest, "ValidationException", fmt.Sprintf(format, args...), nil}
}

// formed checks a value of an input.
func formed(name, value string, form *regexp.Regexp) error {
	if !form.MatchString(value) {
		return invalid("1 validation error detected: Value '%s' at '%s' failed to satisfy constraint: Member must satisfy regular expression pattern: %s", value, name, form)
	}
	return nil
}

// paged is how lists are asked for in the services that speak JSON. AWS gives
// fewer than asked for when it likes; here always.
type paged struct {
	MaxResults *int
	NextToken  string
}

const perPage = 2

func jsonPage[T any](q paged, list []T) ([]T, *string, error) {
	from, most := 0, perPage
	if q.NextToken != "" {
		at, err := strconv.Atoi(strings.TrimPrefix(q.NextToken, "from-"))
		if err != nil || at > len(list) {
			return nil, nil, invalid("Invalid next token")
		}
		from = at
	}
	if q.MaxResults != nil {
		if *q.MaxResults < 1 || *q.MaxResults > 100 {
			return nil, nil, invalid("maxResults must be between 1 and 100")
		}
		most = min(most, *q.MaxResults)
	}
	to := min(from+most, len(list))
	if to < len(list) {
		next := fmt.Sprintf("from-%d", to)
		return list[from:to], &next, nil
	}
	return list[from:], nil, nil
}

// epoch is a time as awsJson1_1 has it.
func epoch(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }

// deniedJSON is how the services that speak JSON say that a caller has no right.
func deniedJSON(service string) func(*request) *Fault {
	return func(q *request) *Fault {
		return &Fault{http.StatusForbidden, "AccessDeniedException", fmt.Sprintf("User: %s is not authorized to perform: %s:%s", q.who.arn(), service, q.op.name), nil}
	}
}

func throttledJSON(time.Duration) *Fault {
	return &Fault{http.StatusTooManyRequests, "ThrottlingException", "Rate exceeded", nil}
}

func brokenJSON() *Fault {
	return &Fault{http.StatusInternalServerError, "InternalServerException", "The request processing has failed because of an unknown error.", nil}
}

// busy refuses a change while another one is under way.
func busy(fields map[string]any) *Fault {
	return &Fault{http.StatusConflict, "ConflictException", "There is a conflicting operation in process.", fields}
}
