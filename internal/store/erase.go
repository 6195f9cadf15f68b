package store

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/symflows/symflows/internal/flow"
)

// Erasures take people's names and addresses out of what is kept of closed runs: they
// are replaced by a pseudonym, which is random and can't be led back. What is asked for
// is an item, which whoever erases works off, a page at a time: it goes on where an
// earlier attempt ended, and doing a page again changes nothing.
//
// Nothing of an open request or of live access is touched: a run of somebody else's in
// which the person has a part waits until it is closed. Versions of flows stay as they
// are, and so do records that were shipped.
type Erasures struct {
	Store Store            // required
	Org   string           // required to ask
	Now   func() time.Time // required
}

// Erasure is one that was asked for.
type Erasure struct {
	ID string      `json:"id"`
	By flow.Author `json:"by"`
	// Who is erased; nil once it is done.
	Who *Erased `json:"who,omitempty"`
	// Pseudonym stands for them from now on.
	Pseudonym string `json:"pseudonym"`
	// Kind and Cursor say how far it has come through what there is; Waiting are runs
	// that were not closed when it came by.
	Kind    Kind     `json:"kind,omitempty"`
	Cursor  string   `json:"cursor,omitempty"`
	Waiting []string `json:"waiting,omitempty"`
	// Changed counts the items that were written or deleted.
	Changed int       `json:"changed"`
	Done    time.Time `json:"done,omitzero"`
}

// Erased is what somebody is known by.
type Erased struct {
	ID        string    `json:"id"` // ours
	Email     string    `json:"email"`
	Names     []string  `json:"names,omitempty"`
	Accounts  []Account `json:"accounts,omitempty"`  // of Slack's
	Elsewhere []string  `json:"elsewhere,omitempty"` // who they are at targets
}

// erasedKinds are what may have somebody in it, in the order in which it is looked
// through. What is known of the person goes last.
var erasedKinds = []Kind{KindRun, KindMessages, KindGrant, KindToken, KindAgent, KindRefusal, KindNotice, KindAct}

// maxWaiting bounds how many runs an erasure waits for, so that its item has room.
const maxWaiting = 5000

// Ask writes down that somebody is to be erased, by their e-mail address. The error has
// flow.CodeInvalid, and lists what keeps them from it: open requests, live access and
// tokens. Asking again while it is under way gives the same erasure.
func (s Erasures) Ask(ctx context.Context, email string, by flow.Author) (Erasure, error) {
	who, err := s.known(ctx, email)
	if err != nil {
		return Erasure{}, err
	}
	pending, err := s.Pending(ctx)
	if err != nil {
		return Erasure{}, err
	}
	for _, e := range pending {
		if e.Who.ID == who.ID {
			_, err := s.Store.Get(ctx, KindAct.Key(e.ID))
			if errors.Is(err, ErrNotFound) { // its process died in between
				err = s.record(ctx, e, flow.ActBegun)
			}
			return e, err
		}
	}
	if err := s.free(ctx, who); err != nil {
		return Erasure{}, err
	}
	e := Erasure{ID: flow.NewRunID(), By: by, Who: &who, Pseudonym: "erased-" + strings.ToLower(rand.Text()[:12]), Kind: erasedKinds[0]}
	if err := s.put(ctx, e, 0); err != nil {
		return Erasure{}, err
	}
	return e, s.record(ctx, e, flow.ActBegun)
}

// record tells of an erasure, by the pseudonym: an act is shipped, and stays.
func (s Erasures) record(ctx context.Context, e Erasure, how flow.ActResult) error {
	act := flow.NewAct(e.By, flow.ActErase, flow.Subject{Kind: "person", Name: e.Pseudonym}, map[string]any{"changed": e.Changed})
	act.ID, act.Result = e.ID, how
	return Acts{Store: s.Store, Now: s.Now}.Put(ctx, act)
}

// known gathers what somebody is known by.
func (s Erasures) known(ctx context.Context, email string) (Erased, error) {
	email = strings.ToLower(strings.TrimSpace(email))
	if name, domain, ok := strings.Cut(email, "@"); !ok || name == "" || !strings.Contains(domain, ".") {
		return Erased{}, flow.Errorf(flow.CodeInvalid, "%q is no e-mail address: give the one by which the person is known here", email)
	}
	who := Erased{ID: flow.UserID(s.Org, email), Email: email}
	users := Users{Store: s.Store}
	p, err := users.person(ctx, who.ID)
	if err != nil && flow.CodeOf(err) != flow.CodeUnknownUser {
		return Erased{}, err
	}
	if p.Name != "" {
		who.Names = append(who.Names, p.Name)
	}
	if p.SlackID != "" {
		who.Accounts = append(who.Accounts, Account{Space: p.SlackTeam, ID: p.SlackID})
	}
	for _, a := range p.Accounts {
		who.Accounts = append(who.Accounts, a)
	}
	_, found, err := users.identitiesOf(ctx, who.ID)
	if err != nil && flow.CodeOf(err) != flow.CodeUnknownUser {
		return Erased{}, err
	}
	elsewhere := p.Identities
	for _, i := range found.Saved {
		elsewhere = append(elsewhere, i.Identity)
	}
	for _, i := range found.Found {
		elsewhere = append(elsewhere, i.Identity)
	}
	for _, i := range elsewhere {
		if i.UserID != "" && !strings.EqualFold(i.UserID, email) && !slices.Contains(who.Elsewhere, i.UserID) {
			who.Elsewhere = append(who.Elsewhere, i.UserID)
		}
	}
	return who, nil
}

// free returns an error of flow.CodeInvalid that lists what somebody still has.
func (s Erasures) free(ctx context.Context, who Erased) error {
	var has []string
	runs := Runs{Store: s.Store}
	for q := (Query{By: ByRequester, Value: who.ID, Limit: maxPageSize}); ; {
		page, err := runs.List(ctx, q)
		if err != nil {
			return err
		}
		for _, r := range page.Runs {
			if !closed(r) {
				has = append(has, fmt.Sprintf("request %s (%s, %s)", flow.ShortID(r.ID), r.FlowTitle, r.Status))
			}
		}
		if q.Cursor = page.Cursor; q.Cursor == "" {
			break
		}
	}
	err := Users{Store: s.Store}.each(ctx, KindToken, func(item Item) error {
		var t Token
		if err := json.Unmarshal(item.Body, &t); err != nil {
			return fmt.Errorf("decode %s: %w", item.Key, err)
		}
		if strings.EqualFold(t.Owner, who.Email) && t.Revoked == nil && s.Now().Before(t.Expires) {
			has = append(has, fmt.Sprintf("token %s of bot %s, which they answer for", t.ID, t.Bot))
		}
		return nil
	})
	if err != nil || len(has) == 0 {
		return err
	}
	return flow.Errorf(flow.CodeInvalid, "nothing was erased, because there is still: %s. End or cancel what is open, have emergencies reviewed, give tokens another owner, and ask again", strings.Join(has, "; "))
}

// closed tells whether nothing can come of a run any more, and nobody has to do
// anything about it.
func closed(r flow.Run) bool {
	reviewed := r.BreakGlass == nil || r.BreakGlass.At.IsZero() || r.BreakGlass.Review != nil
	return r.Final() && !r.Access.Live() && len(r.Signals) == 0 && len(r.After) == 0 && r.Extension == nil && reviewed
}

// Pending lists the erasures that are under way.
func (s Erasures) Pending(ctx context.Context) ([]Erasure, error) {
	var list []Erasure
	err := Users{Store: s.Store}.each(ctx, KindErasure, func(item Item) error {
		var e Erasure
		if err := json.Unmarshal(item.Body, &e); err != nil {
			return fmt.Errorf("decode %s: %w", item.Key, err)
		}
		if e.Who != nil {
			list = append(list, e)
		}
		return nil
	})
	return list, err
}

// Work goes on with the erasures that are under way, up to their end or to what waits
// for runs of others to be closed.
func (s Erasures) Work(ctx context.Context) error {
	pending, err := s.Pending(ctx)
	if err != nil {
		return err
	}
	var failed []error
	for _, e := range pending {
		failed = append(failed, s.work(ctx, e.ID))
	}
	return errors.Join(failed...)
}

func (s Erasures) work(ctx context.Context, id string) error {
	for {
		var e Erasure
		item, err := s.Store.Get(ctx, KindErasure.Key(id))
		if err == nil {
			err = json.Unmarshal(item.Body, &e)
		}
		if err != nil || e.Who == nil {
			return err
		}
		more, err := s.page(ctx, &e)
		if err != nil {
			return fmt.Errorf("erase %s: %w", e.Pseudonym, err)
		}
		if e.Who == nil {
			e.Done = s.Now().UTC()
			if err := s.record(ctx, e, flow.ActDone); err != nil {
				return err
			}
		}
		if err := s.put(ctx, e, item.Rev); err != nil || !more {
			return err
		}
	}
}

func (s Erasures) put(ctx context.Context, e Erasure, rev int64) error {
	body, err := flow.EncodeJSON(e)
	if err != nil {
		return err
	}
	item := Item{Key: KindErasure.Key(e.ID), Rev: rev, Writer: NewWriter(), Body: body}
	if !e.Done.IsZero() {
		item.Expires = e.Done.Add(actsKept)
	}
	if _, err := s.Store.Put(ctx, item); err != nil {
		return fmt.Errorf("write %s: %w", item.Key, err)
	}
	return nil
}

// page goes on by a page of items, and tells whether there is more to do now.
func (s Erasures) page(ctx context.Context, e *Erasure) (more bool, err error) {
	x := eraser{Erased: *e.Who, as: e.Pseudonym}
	if e.Kind == "" { // all was looked through
		return s.rest(ctx, e, x)
	}
	page, err := s.Store.List(ctx, Query{By: ByKind, Value: string(e.Kind), Cursor: e.Cursor, Limit: maxPageSize})
	if err != nil {
		return false, err
	}
	for _, item := range page.Items {
		if err := s.item(ctx, e, x, item.Key); err != nil {
			return false, err
		}
	}
	if e.Cursor = page.Cursor; e.Cursor == "" {
		i := slices.Index(erasedKinds, e.Kind)
		e.Kind = append(erasedKinds[i+1:len(erasedKinds):len(erasedKinds)], "")[0]
	}
	return true, nil
}

// rest takes up the runs that were waited for, and what is kept of the person, once
// none is left.
func (s Erasures) rest(ctx context.Context, e *Erasure, x eraser) (more bool, err error) {
	waiting := e.Waiting
	e.Waiting = nil
	for _, run := range waiting {
		if err := s.item(ctx, e, x, KindRun.Key(run)); err != nil {
			return false, err
		}
	}
	for q := (Query{By: ByStatus, Value: ListOfDecider(x.ID), Limit: maxPageSize}); ; {
		page, err := s.Store.List(ctx, q)
		if err != nil {
			return false, err
		}
		for _, item := range page.Items {
			if run, _, _ := strings.Cut(strings.TrimPrefix(item.Key, string(KindListed)), "#"); !slices.Contains(e.Waiting, run) {
				if err := s.remove(ctx, e, item.Key); err != nil {
					return false, err
				}
			}
		}
		if q.Cursor = page.Cursor; q.Cursor == "" {
			break
		}
	}
	for q := (Query{By: ByRequester, Value: x.ID, Limit: maxPageSize}); ; { // asked for meanwhile: looked at last, before they are forgotten
		page, err := s.Store.List(ctx, q)
		if err != nil {
			return false, err
		}
		for _, item := range page.Items {
			if err := s.item(ctx, e, x, item.Key); err != nil {
				return false, err
			}
		}
		if q.Cursor = page.Cursor; q.Cursor == "" {
			break
		}
	}
	if len(e.Waiting) > 0 {
		return false, nil
	}
	keys := []string{KindIdentity.Key(x.ID), KindUser.Key(x.ID)}
	for _, a := range x.Accounts {
		for _, k := range []Kind{KindHome, KindGlass, KindSlackUser} {
			keys = append(keys, k.Key(a.Space+"#"+a.ID))
		}
	}
	for _, key := range keys {
		if err := s.remove(ctx, e, key); err != nil {
			return false, err
		}
	}
	e.Who = nil
	return false, nil
}

func (s Erasures) remove(ctx context.Context, e *Erasure, key string) error {
	for range maxConflicts {
		item, err := s.Store.Get(ctx, key)
		if errors.Is(err, ErrNotFound) {
			return nil
		}
		if err == nil {
			err = s.Store.Delete(ctx, key, item.Rev)
		}
		if errors.Is(err, ErrConflict) {
			continue
		}
		if err == nil {
			e.Changed++
		}
		return err
	}
	return ErrConflict
}

// item erases somebody in an item, anew after each lost race.
func (s Erasures) item(ctx context.Context, e *Erasure, x eraser, key string) error {
	for range maxConflicts {
		item, err := s.Store.Get(ctx, key)
		if errors.Is(err, ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		if packed(item.Body) || !x.in(item) {
			return nil
		}
		if e.Kind == KindGrant {
			return s.grant(ctx, e, item)
		}
		if x.found(key) { // of a click that was refused
			return s.remove(ctx, e, key)
		}
		next := item
		if next.Body, err = x.erase(item.Body); err != nil {
			return fmt.Errorf("erase in %s: %w", key, err)
		}
		if run, ok := KindRun.Name(key); ok {
			wait, err := s.hold(ctx, item, &next)
			if err != nil {
				return err
			}
			if wait {
				if len(e.Waiting) >= maxWaiting {
					return flow.Errorf(flow.CodeFull, "more than %d runs have a part of the person in them and are not closed", maxWaiting)
				}
				if !slices.Contains(e.Waiting, run) {
					e.Waiting = append(e.Waiting, run)
				}
				return nil
			}
		}
		if next.Index.Requester == x.ID {
			next.Index.Requester = x.newID()
		}
		if bytes.Equal(next.Body, item.Body) && next.Index == item.Index {
			return nil
		}
		next.Writer = NewWriter()
		_, err = s.Store.Put(ctx, next)
		if errors.Is(err, ErrConflict) {
			continue
		}
		if err == nil {
			e.Changed++
		}
		return err
	}
	return fmt.Errorf("write %s: %w", key, ErrConflict)
}

// hold tells whether a run has to stay as it is for now, because it is not closed, or
// what it granted is not known to be gone. Otherwise it writes the erased one as runs
// are written.
func (s Erasures) hold(ctx context.Context, item Item, next *Item) (bool, error) {
	r, err := decodeRun(item)
	if err != nil {
		return false, err
	}
	if !closed(r) {
		return true, nil
	}
	if r.Access != nil {
		for _, part := range r.Access.Entitlements {
			g, err := Grants{Store: s.Store}.Get(ctx, part.Key)
			if err != nil {
				return false, err
			}
			if g.Rev > 0 && g.State != flow.GrantAbsent && !g.Predates() {
				return true, nil
			}
		}
	}
	erased, err := decodeRun(*next)
	if err != nil {
		return false, err
	}
	if next.Body, err = flow.EncodeJSON(erased); err == nil && r.ByAgent() && erased.Owner.Email != r.Owner.Email { // by which the agent's id is made
		next.Body = bytes.ReplaceAll(next.Body, []byte(r.Asker.ID), []byte(flow.AgentID(r.Org, r.Asker.Name, erased.Owner.Email)))
	}
	return false, err
}

// grant deletes an entitlement of the person's that nobody holds and that is not there
// any more: its key says whose it was.
func (s Erasures) grant(ctx context.Context, e *Erasure, item Item) error {
	var g flow.Grant
	if err := json.Unmarshal(item.Body, &g); err != nil {
		return fmt.Errorf("decode %s: %w", item.Key, err)
	}
	if len(g.Holders) > 0 || s.Now().Before(g.Lease.Until) || g.State != flow.GrantAbsent && !g.Predates() {
		return nil
	}
	err := s.Store.Delete(ctx, item.Key, item.Rev)
	if errors.Is(err, ErrConflict) { // somebody needs it again
		return nil
	}
	if err == nil {
		e.Changed++
	}
	return err
}

// eraser replaces somebody by a pseudonym.
type eraser struct {
	Erased
	as string
}

func (x eraser) newID() string    { return x.as }
func (x eraser) newEmail() string { return x.as + "@erased.invalid" }

// shortest is how long what somebody is called elsewhere must be to be looked for in
// texts: shorter ones are parts of anything.
const shortest = 4

// words are what stands for somebody in texts, and what replaces it.
func (x eraser) words() map[string]string {
	all := map[string]string{x.Email: x.newEmail(), x.ID: x.newID()}
	for _, a := range x.Accounts {
		all[a.ID] = x.as
	}
	for _, name := range x.Names {
		if strings.Contains(name, " ") { // others are words of a language
			all[name] = x.as
		}
	}
	for _, id := range x.Elsewhere {
		if len(id) >= shortest {
			all[id] = x.as
		}
	}
	return all
}

// in tells whether an item may have the person in it.
func (x eraser) in(item Item) bool {
	return x.found(item.Key) || x.found(string(item.Body))
}

func (x eraser) found(text string) bool {
	text = folded(text)
	for word := range x.words() {
		if strings.Contains(text, folded(word)) {
			return true
		}
	}
	return false
}

func (x eraser) erase(body []byte) ([]byte, error) {
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	var v any
	if err := decoder.Decode(&v); err != nil {
		return nil, err
	}
	return flow.EncodeJSON(x.value(v))
}

// value erases in a decoded JSON value. An object that is the person, by an id or the
// address, loses its name and accounts too.
func (x eraser) value(v any) any {
	switch v := v.(type) {
	case string:
		return x.text(v)
	case []any:
		for i := range v {
			v[i] = x.value(v[i])
		}
	case map[string]any:
		is := x.is(v)
		out := make(map[string]any, len(v))
		for key, value := range maps.All(v) {
			text, ok := value.(string)
			switch {
			case is && key == "name":
				out[key] = x.as
			case is && (key == "slack_id" || key == "slack_team"):
				// An account that there is none of any more: people read the name.
			case ok && key == flow.KeyRetriedBy && slices.Contains(x.Names, text):
				out[key] = x.as
			case ok && x.text(key) != key: // what somebody is called, by who they are
				out[x.text(key)] = x.as
			default:
				out[x.text(key)] = x.value(value)
			}
		}
		return out
	}
	return v
}

// is tells whether an object is about the person: an actor, or a principal.
func (x eraser) is(object map[string]any) bool {
	for key, own := range map[string][]string{"email": {x.Email}, "id": append([]string{x.ID}, x.accountIDs()...), "slack_id": x.accountIDs()} {
		if text, ok := object[key].(string); ok && slices.ContainsFunc(own, func(o string) bool { return strings.EqualFold(o, text) }) {
			return true
		}
	}
	return false
}

func (x eraser) accountIDs() (ids []string) {
	for _, a := range x.Accounts {
		ids = append(ids, a.ID)
	}
	return ids
}

// text replaces the words, where they are whole, in letters of either case.
func (x eraser) text(s string) string {
	for word, by := range x.words() {
		s = replaceWord(s, word, by)
	}
	return s
}

func replaceWord(s, word, by string) string {
	lower, word := folded(s), folded(word)
	var out strings.Builder
	for at := 0; ; {
		i := strings.Index(lower[at:], word)
		if i < 0 {
			out.WriteString(s[at:])
			return out.String()
		}
		begin, end := at+i, at+i+len(word)
		out.WriteString(s[at:begin])
		if joined(s[:begin], true) || joined(s[end:], false) {
			out.WriteString(s[begin:end])
		} else {
			out.WriteString(by)
		}
		at = end
	}
}

// folded is a text in small letters, where they are those of addresses and ids: as long
// as it was.
func folded(s string) string {
	return strings.Map(func(c rune) rune {
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		return c
	}, s)
}

// joined tells whether the text beside a word makes another word of it: that of a
// longer address, or name.
func joined(beside string, before bool) bool {
	letter := func(c byte) bool {
		return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c >= 0x80
	}
	switch {
	case beside == "":
		return false
	case before:
		c := beside[len(beside)-1]
		return letter(c) || strings.IndexByte("._%+-", c) >= 0
	}
	c := beside[0]
	return letter(c) || c == '-' || c == '_' || c == '.' && len(beside) > 1 && letter(beside[1])
}
