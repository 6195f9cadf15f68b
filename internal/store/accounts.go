package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/symflows/symflows/internal/flow"
)

// Realm is a kind of accounts in Slack. An e-mail address belongs to one account
// of each realm.
type Realm string

// The realms. People of other workspaces have one of their own, because they
// could claim any address: whoever is in the workspace goes before them.
const (
	RealmWorkspace  Realm = "workspace"  // of our workspace, or its organisation, guests included
	RealmElsewhere  Realm = "elsewhere"  // of other workspaces (Slack Connect)
	RealmSimulation Realm = "simulation" // of the simulated workspace
)

// Account is somebody's account in Slack, by ids that stay theirs when the
// e-mail address passes to another.
type Account struct {
	Realm Realm  `json:"realm,omitempty"`
	Space string `json:"space,omitempty"` // id of the organisation (Enterprise Grid), or of the workspace
	ID    string `json:"id,omitempty"`
}

// String is how people read an account.
func (a Account) String() string { return a.ID + " in " + a.Space }

// Claim is an account that turned up behind an address which belongs to another
// one. What goes by the address is not for it until somebody confirms it.
type Claim struct {
	User           // as the directory described them
	Former Account `json:"former"` // to which the address belongs
}

// person is what we keep under our own id, which follows from the e-mail
// address.
type person struct {
	User // of the account that the address belongs to
	// Accounts are those that the address belongs to, and Claims those that
	// turned up since.
	Accounts map[Realm]Account `json:"accounts,omitempty"`
	Claims   map[Realm]Claim   `json:"claims,omitempty"`
	// Successions counts how often the address passed to another person.
	// Identities, and what tokens have for an owner, are of one of them.
	Successions int          `json:"successions,omitempty"`
	Confirmed   *flow.Author `json:"confirmed,omitempty"` // who did it last
	// Identities are what an earlier release kept here: see [Users.Identities].
	Identities []Identity `json:"identities,omitempty"`

	acted
}

// meet takes in an account that has the address, and tells whether the address
// belongs to another one.
func (p *person) meet(u User, moves func() (moved, error)) (unconfirmed bool, err error) {
	a := u.Account
	if a.ID == "" { // nobody of Slack
		p.update(u)
		return false, nil
	}
	if p.Accounts == nil {
		p.Accounts = map[Realm]Account{}
		if p.SlackID != "" && p.SlackTeam == u.SlackTeam { // remembered by an earlier release
			p.Accounts[a.Realm] = Account{Realm: a.Realm, Space: p.SlackTeam, ID: p.SlackID}
		}
	}
	have, bound := p.Accounts[a.Realm]
	// A workspace that joined an organisation keeps the ids of its people.
	same := bound && have.ID == a.ID && (have.Space == a.Space || have.Space == u.SlackTeam || a.Space == u.SlackTeam)
	outside := a.Realm == RealmElsewhere
	switch {
	case outside && len(p.Accounts) > 1, outside && len(p.Accounts) == 1 && !bound:
		return true, nil
	case u.Role == RoleDeactivated && !same: // who left claims nothing
		if p.ID == "" {
			p.update(u)
		}
		return bound, nil
	case same:
		if u.Role != RoleDeactivated {
			delete(p.Claims, a.Realm)
		}
	case bound:
		known, err := moves()
		if err != nil {
			return false, err
		}
		if !slices.Contains(known.Moves, Move{have.Space, a.Space}) {
			if p.Claims == nil {
				p.Claims = map[Realm]Claim{}
			}
			if p.Claims[a.Realm].Account != a {
				p.Claims[a.Realm] = Claim{User: u, Former: have}
			}
			return true, nil
		}
		delete(p.Claims, a.Realm) // made before the move was confirmed
	default: // at first sight
		if other, ok := p.Accounts[RealmElsewhere]; ok && other.ID != a.ID {
			p.Successions++
		}
	}
	p.Accounts[a.Realm] = a
	p.update(u)
	return false, nil
}

// holds returns nil if the address belongs to the person, and an error of
// flow.CodeForbidden if it has passed to somebody else, or somebody else claims
// it.
func (p person) holds(who flow.Actor) error {
	if len(p.Claims) == 0 && (who.SlackID == "" || p.SlackID == "" || who.SlackID == p.SlackID) {
		return nil
	}
	return flow.Errorf(flow.CodeForbidden, "the address %s belongs to another Slack account than before: an administrator has to confirm it (local user confirm)", who.Email)
}

// Former tells whether the address of somebody in Slack has passed to another
// account, or another account claims it.
func (s Users) Former(ctx context.Context, who flow.Actor) (bool, error) {
	p, err := s.person(ctx, who.ID)
	if flow.CodeOf(err) == flow.CodeUnknownUser {
		return false, nil
	}
	if err != nil || who.SlackID == "" {
		return false, err
	}
	for _, c := range p.Claims {
		if c.SlackID == who.SlackID {
			return false, nil
		}
	}
	return p.holds(who) != nil, nil
}

// Succession counts the people who had somebody's address before them, as far as
// we know: 0 for the first, and for an address that we never saw. The error has
// flow.CodeForbidden if the address belongs to another account, or another one
// claims it.
func (s Users) Succession(ctx context.Context, who flow.Actor) (int, error) {
	p, err := s.person(ctx, who.ID)
	if flow.CodeOf(err) == flow.CodeUnknownUser {
		return 0, nil
	}
	if err == nil {
		err = p.holds(who)
	}
	return p.Successions, err
}

// Move says that the people of one workspace or organisation have accounts in
// another one now.
type Move struct {
	From string `json:"from"`
	To   string `json:"to"`
}

// moved is what is known of accounts that changed.
type moved struct {
	Moves []Move `json:"moves,omitempty"`
	// Day is the last on which addresses were claimed, and Claimed are the first
	// of them, by our ids.
	Day     string   `json:"day,omitempty"`
	Claimed []string `json:"claimed,omitempty"`

	acted
}

func (s Users) moved(ctx context.Context) (moved, error) {
	var m moved
	item, err := s.Store.Get(ctx, KindMoved.Key(""))
	if errors.Is(err, ErrNotFound) {
		return m, nil
	}
	if err == nil {
		err = json.Unmarshal(item.Body, &m)
	}
	if err != nil {
		return m, fmt.Errorf("read %s: %w", KindMoved, err)
	}
	return m, nil
}

// manyClaims is how many addresses a day pass to others one by one. More are a
// workspace that moved.
const manyClaims = 10

// tellOf has administrators told of a claim on the day when it is seen; and of
// many, that there are.
func (s Users) tellOf(ctx context.Context, c Claim, seen time.Time) error {
	day, one := seen.UTC().Format(time.DateOnly), false
	_, _, err := change(ctx, s.Store, KindMoved.Key(""), func(m *moved, _ int64) error {
		if m.Day != day {
			m.Day, m.Claimed = day, nil
		}
		if one = slices.Contains(m.Claimed, c.ID); !one && len(m.Claimed) < manyClaims {
			m.Claimed, one = append(m.Claimed, c.ID), true
		}
		return nil
	})
	if err != nil {
		return err
	}
	notices := Notices{Store: s.Store, Now: func() time.Time { return seen }}
	if !one {
		return notices.tell(ctx, Notice{About: "many accounts", Confirms: &Confirmable{All: true}, Text: fmt.Sprintf("More than %d e-mail addresses belong to other Slack accounts than before. "+
			"If your people were moved to another workspace or organisation, confirm all of them at once: by the button, or local user confirm -all. "+
			"If not, look at each: local user list. Until then, what the configuration names by these addresses is not for the new accounts.", manyClaims)})
	}
	return notices.tell(ctx, Notice{About: "account " + c.ID + " " + c.Account.String(), Confirms: &Confirmable{Person: c.ID, Account: c.Account}, Text: fmt.Sprintf("The address %s belongs to another Slack account than before: %s (%s), not %s. "+
		"What goes by the address (approvers, admins, people to notify, requests by API, stored identities) is not for the new account, "+
		"and open approvals by the former don't count. If the new account may have what the configuration gives to this address, "+
		"confirm it: by the button, or local user confirm %s", c.Email, c.Display(), c.Account, c.Former, c.Email)})
}

// Claims lists the accounts that wait to be confirmed.
func (s Users) Claims(ctx context.Context) ([]Claim, error) {
	var out []Claim
	err := s.each(ctx, KindUser, func(item Item) error {
		var p person
		if err := json.Unmarshal(item.Body, &p); err != nil {
			return fmt.Errorf("decode %s: %w", item.Key, err)
		}
		for _, realm := range []Realm{RealmWorkspace, RealmElsewhere, RealmSimulation} {
			if c, ok := p.Claims[realm]; ok {
				out = append(out, c)
			}
		}
		return nil
	})
	return out, err
}

// Confirm gives an address to the accounts that claim it: another person's, who
// has what the configuration gives to the address from now on, and none of the
// former's identities; by is who says so. With All, see confirmAll. The error has
// flow.CodeInvalid if nobody claims the address, and flow.CodeChanged if another
// account does than the one that is meant.
func (s Users) Confirm(ctx context.Context, what Confirmable, by flow.Author) ([]Claim, error) {
	if what.All {
		return s.confirmAll(ctx, by)
	}
	return s.confirm(ctx, what, by, false)
}

// confirmAll confirms all accounts that wait for it, as those of the same people
// in another workspace or organisation: they keep their identities, and those
// who turn up later need no confirmation. It first notes whence they moved and
// where to, so that whoever it does not come to is settled when they are seen
// next.
func (s Users) confirmAll(ctx context.Context, by flow.Author) ([]Claim, error) {
	waiting, err := s.Claims(ctx)
	if err != nil {
		return nil, err
	}
	_, _, err = change(ctx, s.Store, KindMoved.Key(""), func(m *moved, rev int64) error {
		var added []Move
		for _, w := range waiting {
			move := Move{w.Former.Space, w.Account.Space}
			if move.From != move.To && w.Account.Realm == RealmWorkspace && !slices.Contains(m.Moves, move) {
				m.Moves, added = append(m.Moves, move), append(added, move)
			}
		}
		if len(added) > 0 {
			m.Acts = m.Acts.With(flow.NewAct(by, flow.ActMoveConfirm, flow.Subject{Kind: "workspace"}, map[string]any{"moves": added}), rev+1)
		}
		return nil
	})
	var done []Claim
	for _, w := range waiting {
		if err != nil {
			return done, err
		}
		var some []Claim
		some, err = s.confirm(ctx, Confirmable{Person: w.ID}, by, true)
		if flow.CodeOf(err) == flow.CodeInvalid { // by somebody else meanwhile, or with one before
			err = nil
		}
		done = append(done, some...)
	}
	return done, err
}

func (s Users) confirm(ctx context.Context, what Confirmable, by flow.Author, samePerson bool) ([]Claim, error) {
	var done []Claim
	_, _, err := change(ctx, s.Store, KindUser.Key(what.Person), func(p *person, rev int64) error {
		done = nil
		if a := what.Account; a != (Account{}) && len(p.Claims) > 0 && p.Claims[a.Realm].Account != a {
			return flow.Errorf(flow.CodeChanged, "another Slack account claims this address by now than the one that you were told of: \"user list\" shows it")
		}
		for realm, claim := range p.Claims {
			done = append(done, claim)
			p.Accounts[realm] = claim.Account
			p.User = claim.User
			p.Unconfirmed = false
		}
		if len(done) == 0 {
			return flow.Errorf(flow.CodeInvalid, "no other Slack account claims this address: \"user list\" shows those that wait")
		}
		if !samePerson {
			p.Successions++
		}
		p.Claims, p.Confirmed = nil, &by
		for _, claim := range done {
			told := map[string]any{"account": claim.Account.String(), "former_account": claim.Former.String()}
			if samePerson {
				told["same_person"] = true
			}
			p.Acts = p.Acts.With(flow.NewAct(by, flow.ActAccountConfirm, personAs(claim.Actor), told), rev+1)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return done, nil
}

// each reads all items of a kind.
func (s Users) each(ctx context.Context, k Kind, read func(Item) error) error {
	q := Query{By: ByKind, Value: string(k), Limit: 200}
	for {
		page, err := s.Store.List(ctx, q)
		if err != nil {
			return fmt.Errorf("list %s: %w", k, err)
		}
		for _, item := range page.Items {
			if err := read(item); err != nil {
				return err
			}
		}
		if q.Cursor = page.Cursor; q.Cursor == "" {
			return nil
		}
	}
}
