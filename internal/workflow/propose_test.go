package workflow_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/symflows/symflows/internal/entity"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/workflow"
)

// desk is a world in which a flow approves changes of the configuration.
type desk struct {
	*world

	name string // of the flow that decides, as the deployment has it
	mu   sync.Mutex
	// open counts each run once that lists proposals.
	open map[string]bool
}

// approves makes the world's flow one that approves changes of the configuration.
func approves(f *flow.Flow) {
	f.Name, f.Label, f.Strategy = "configure", "Configuration", nil
	f.Params.PromptFields = []flow.PromptField{{Name: workflow.FieldChanges, Type: flow.FieldString, Required: true, Visible: true}}
	f.Params.Approval.Notify[0].Timeout = flow.Duration(24 * time.Hour)
}

func newDesk(t *testing.T, edit ...func(*flow.Flow)) *desk {
	t.Helper()
	return &desk{world: newWorld(t, append([]func(*flow.Flow){approves}, edit...)...), name: "configure", open: map[string]bool{}}
}

// oneAtATime is a store that several goroutines may use where its world is one's alone.
type oneAtATime struct {
	store.Store
	mu *sync.Mutex
}

func (s oneAtATime) Get(ctx context.Context, key string) (store.Item, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.Store.Get(ctx, key)
}

func (s oneAtATime) Put(ctx context.Context, item store.Item) (int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.Store.Put(ctx, item)
}

// token makes a token that may configure.
func (d *desk) token(owner store.User) store.Token {
	d.t.Helper()
	_, t, err := store.Tokens{Store: d.memory, Org: "acme", Now: d.clock.Now}.Create(d.t.Context(), flow.Operator, store.Token{Bot: "terraform-" + owner.Name, Owner: owner.Email, Config: true}, 100*24*time.Hour)
	if err != nil {
		d.t.Fatal(err)
	}
	return t
}

// inForce are the entities, which no crash keeps from being read or written.
func (d *desk) inForce() store.Entities {
	return store.Entities{Store: d.memory, Org: "acme", Now: d.clock.Now}
}

// configure is the API's way in, as a token has it.
func (d *desk) configure(t store.Token) workflow.Configure {
	return workflow.Configure{
		Entities: d.inForce(), Approval: d.name,
		Check: func(context.Context, entity.Entity, []entity.Entity) []entity.Fault { return nil },
	}.By(&t)
}

func (d *desk) created(c workflow.Configure, name, attributes string) entity.Entity {
	d.t.Helper()
	e, err := c.Create(d.t.Context(), store.EntityChange{By: flow.Operator, Request: "create " + name}, entity.Entity{Kind: entity.KindTarget, Type: "http", Name: name, Owner: entity.API, Attributes: json.RawMessage(attributes)})
	if err != nil {
		d.t.Fatal(err)
	}
	return e
}

func (d *desk) replaced(c workflow.Configure, e entity.Entity, attributes string) {
	d.t.Helper()
	e.Attributes = json.RawMessage(attributes)
	if _, err := c.Replace(d.t.Context(), store.EntityChange{By: flow.Operator}, e); err != nil {
		d.t.Fatal(err)
	}
}

func (d *desk) deleted(c workflow.Configure, e entity.Entity) {
	d.t.Helper()
	if err := c.Delete(d.t.Context(), store.EntityChange{By: flow.Operator}, e.Kind, e.ID); err != nil {
		d.t.Fatal(err)
	}
}

// look has the process ask and conclude, as often as that brings something about at once.
func (d *desk) look() {
	d.t.Helper()
	entities := store.Entities{Store: oneAtATime{d.runs.Store, &d.mu}, Org: "acme", Now: d.clock.Now}
	tokens := store.Tokens{Store: d.runs.Store, Org: "acme", Now: d.clock.Now}
	log := slog.New(slog.NewTextHandler(d.log, nil))
	conclude := workflow.Conclude{Flow: d.name, Entities: entities, Tokens: tokens, Runs: d.runs, Now: d.clock.Now, Log: log}
	propose := workflow.Propose{
		Flow: d.name, Entities: entities, Tokens: tokens, Submit: d.submit, Notices: store.Notices{Store: d.runs.Store, Now: d.clock.Now}, Now: d.clock.Now, Log: log,
	}
	if err := conclude.Run(d.t.Context()); err != nil && !d.process.dead() {
		d.t.Fatal(err)
	}
	if _, err := propose.Run(d.t.Context()); err != nil && !d.process.dead() {
		d.t.Fatal(err)
	}
	for _, p := range d.stand() {
		if p.Asked != nil && p.Asked.Run != "" {
			d.open[p.Asked.Run] = true
		}
	}
	d.settle()
}

// minutes lets time pass, with a look each minute.
func (d *desk) minutes(n int) {
	d.t.Helper()
	for range n {
		d.pass(time.Minute)
		d.look()
		d.look() // after what the first brought about
	}
}

func (d *desk) stand() []store.Proposing {
	d.t.Helper()
	all, err := d.inForce().Proposals().List(d.t.Context())
	if err != nil {
		d.t.Fatal(err)
	}
	return all
}

// asked is the run that lists what a token proposes; "" if none does.
func (d *desk) asked(t store.Token) string {
	d.t.Helper()
	p, err := d.inForce().Proposals().Get(d.t.Context(), t.ID)
	if err != nil {
		d.t.Fatal(err)
	}
	if p.Asked == nil {
		return ""
	}
	return p.Asked.Run
}

// left counts what a token proposes yet.
func (d *desk) left(t store.Token) int {
	d.t.Helper()
	list, err := d.inForce().Proposals().Of(d.t.Context(), t.ID)
	if err != nil {
		d.t.Fatal(err)
	}
	return len(list)
}

// says is what entities say, in order; "-" of what is not there.
func (d *desk) says(entities ...entity.Entity) string {
	d.t.Helper()
	var all []string
	for _, e := range entities {
		now, err := d.inForce().Get(d.t.Context(), e.Kind, e.ID)
		switch {
		case flow.CodeOf(err) == flow.CodeUnknownEntity || err == nil && !now.Alive():
			all = append(all, "-")
		case err != nil:
			d.t.Fatal(err)
		default:
			all = append(all, string(now.Attributes))
		}
	}
	return strings.Join(all, " ")
}

func (d *desk) wants(want string, entities ...entity.Entity) {
	d.t.Helper()
	if got := d.says(entities...); got != want {
		d.t.Errorf("in force is %s, want %s", got, want)
	}
}

// changed reads the field of a run that lists changes.
func (d *desk) changed(run string) string {
	text, _ := d.run(run).Fields[workflow.FieldChanges].(string)
	return text
}

// TestPropose_Crash lets the process die at its n-th write, before it or after it and
// before the answer arrives, for every n: what is approved comes into force as it was
// listed and no half of it without the other, one run asks for it, and what is denied is
// gone.
func TestPropose_Crash(t *testing.T) {
	t.Parallel()
	for _, after := range []bool{false, true} {
		for _, action := range []flow.Action{flow.ActionApprove, flow.ActionDeny} {
			t.Run(fmt.Sprintf("%s/after=%t", action, after), func(t *testing.T) {
				t.Parallel()
				for n := 0; ; n++ {
					if !proposeAndDie(t, n, after, action) {
						if n < 5 {
							t.Errorf("only %d places to die at", n)
						}
						return
					}
				}
			})
		}
	}
}

// proposeAndDie tells the story with a crash; false if it ended without one.
func proposeAndDie(t *testing.T, n int, after bool, action flow.Action) bool {
	t.Helper()
	d := newDesk(t)
	token := d.token(asker)
	none := workflow.Configure{Entities: d.inForce(), Check: d.configure(token).Check}
	b, c := d.created(none, "b", `{"n":1}`), d.created(none, "c", `{"n":1}`)
	mine := d.configure(token)
	a := d.created(mine, "a", `{"n":2}`)
	d.replaced(mine, b, `{"n":2}`)
	d.deleted(mine, c)
	const before, then = `- {"n":1} {"n":1}`, `{"n":2} {"n":2} -`

	d.process.left, d.process.after = n, after
	d.minutes(4)
	run := d.asked(token)
	if run == "" {
		t.Fatalf("crash %d: nobody is asked after %d restarts; log:\n%.2000s", n, d.restarts, d.log)
	}
	d.wants(before, a, b, c)
	d.click(run, action, first)
	for range 8 {
		d.look()
		half := d.says(a, b, c) != before && d.says(a, b, c) != then
		applying, err := d.inForce().Proposals().Applying(t.Context())
		if err != nil || half && !applying {
			t.Fatalf("crash %d: half of it is in force, and flows are made of that: %s (%v)", n, d.says(a, b, c), err)
		}
	}
	d.minutes(4)
	want := then
	if action == flow.ActionDeny {
		want = before
	}
	d.wants(want, a, b, c)
	if left, asked := d.left(token), d.asked(token); left != 0 || asked != "" || len(d.open) != 1 {
		t.Errorf("crash %d: %d changes are proposed yet, run %q lists them, and %d runs did; log:\n%.2000s", n, left, asked, len(d.open), d.log)
	}
	if t.Failed() {
		return false
	}
	return d.restarts > 0
}

// TestPropose_Later: what is proposed after a run lists something is not slipped into what
// it approves. The run is cancelled, and another one lists all of it.
func TestPropose_Later(t *testing.T) {
	t.Parallel()
	t.Run("approved before the next", func(t *testing.T) {
		t.Parallel()
		d := newDesk(t)
		token := d.token(asker)
		mine := d.configure(token)
		a, b := d.created(mine, "a", `{"n":1}`), d.created(mine, "b", `{"n":1}`)
		d.minutes(2)
		run := d.asked(token)
		d.replaced(mine, a, `{"n":2}`)
		d.click(run, flow.ActionApprove, first)
		d.look()
		d.wants(`{"n":1} {"n":1}`, a, b)
		if seen, err := mine.Get(t.Context(), a.Kind, a.ID); err != nil || string(seen.Attributes) != `{"n":2}` {
			t.Errorf("the token sees %s, and not what it has proposed since (%v)", seen.Attributes, err)
		}
		d.minutes(2)
		next := d.asked(token)
		if next == "" || next == run || !strings.Contains(d.changed(next), "n: 1 → 2") || strings.Contains(d.changed(next), "target b") {
			t.Fatalf("the next run lists %q", d.changed(next))
		}
		d.click(next, flow.ActionApprove, first)
		d.look()
		d.wants(`{"n":2} {"n":1}`, a, b)
	})
	t.Run("superseded", func(t *testing.T) {
		t.Parallel()
		d := newDesk(t)
		token := d.token(asker)
		mine := d.configure(token)
		a := d.created(mine, "a", `{"n":1}`)
		d.minutes(2)
		run := d.asked(token)
		b := d.created(mine, "b", `{"n":1}`)
		d.minutes(3)
		if got := d.run(run).Status; got != flow.Cancelled {
			t.Errorf("the run that does not list all is %s", got)
		}
		next := d.asked(token)
		if next == run || !strings.Contains(d.changed(next), "target a") || !strings.Contains(d.changed(next), "target b") {
			t.Fatalf("the next run lists %q", d.changed(next))
		}
		if err := d.press(run, flow.ActionApprove, first); err == nil {
			t.Error("the run that was superseded can be approved")
		}
		d.minutes(1)
		d.wants(`- -`, a, b)
		d.click(next, flow.ActionApprove, first)
		d.look()
		d.wants(`{"n":1} {"n":1}`, a, b)
	})
	t.Run("denied", func(t *testing.T) {
		t.Parallel()
		d := newDesk(t)
		token := d.token(asker)
		mine := d.configure(token)
		a, b := d.created(mine, "a", `{"n":1}`), d.created(mine, "b", `{"n":1}`)
		d.minutes(2)
		d.replaced(mine, a, `{"n":2}`)
		d.click(d.asked(token), flow.ActionDeny, first)
		d.look()
		if d.left(token) != 1 {
			t.Errorf("%d changes are proposed after others were denied, want the one that was not listed", d.left(token))
		}
		d.wants(`- -`, a, b)
	})
}

// TestPropose_Two: two tokens propose changes of one thing. Each is decided by itself, and
// what people see is what would change when they decide.
func TestPropose_Two(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	one, two := d.token(asker), d.token(second)
	a := d.created(d.configure(one), "a", `{"n":1}`)
	d.created(d.configure(two), "a", `{"n":2}`)
	d.minutes(2)
	runs := []string{d.asked(one), d.asked(two)}
	if runs[0] == runs[1] || slices.Contains(runs, "") {
		t.Fatalf("two tokens are asked for by the runs %v", runs)
	}
	d.click(runs[0], flow.ActionApprove, first)
	d.look()
	d.wants(`{"n":1}`, a)

	// The other run lists what has been overtaken: its approval changes nothing.
	d.click(runs[1], flow.ActionApprove, first)
	d.minutes(1)
	d.wants(`{"n":1}`, a)
	next := d.asked(two)
	if next == runs[1] || !strings.Contains(d.changed(next), "n: 1 → 2") {
		t.Fatalf("the next run lists %q", d.changed(next))
	}
	d.click(next, flow.ActionApprove, first)
	d.look()
	d.wants(`{"n":2}`, a)
}

// TestPropose_Requester: the owner of the token is the requester, who can't approve.
func TestPropose_Requester(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	token := d.token(first)
	a := d.created(d.configure(token), "a", `{"n":1}`)
	d.minutes(2)
	run := d.asked(token)
	if err := d.press(run, flow.ActionApprove, first); err == nil {
		t.Error("whoever answers for the token approved what it proposed")
	}
	d.minutes(1)
	d.wants(`-`, a)
	d.click(run, flow.ActionApprove, second)
	d.look()
	d.wants(`{"n":1}`, a)
}

// TestPropose_Itself: a change of the flow that decides is decided by the version in force.
func TestPropose_Itself(t *testing.T) {
	t.Parallel()
	d := newDesk(t, func(f *flow.Flow) {
		f.Environment.Admins, f.Params.Approval.Approvers = nil, []string{"user:" + first.Email}
	})
	token := d.token(asker)
	none := workflow.Configure{Entities: d.inForce(), Check: d.configure(token).Check}
	own := entity.Entity{Kind: entity.KindFlow, Name: "configure", Owner: entity.API, Attributes: json.RawMessage(`{"params":{"approval":{"approvers":["user:first@example.com"]}}}`)}
	own, err := none.Create(t.Context(), store.EntityChange{By: flow.Operator}, own)
	if err != nil {
		t.Fatal(err)
	}
	const seized = `{"params":{"approval":{"allow_self_approval":true,"approvers":["user:asker@example.com","user:second@example.com"]}}}`
	d.replaced(d.configure(token), own, seized)
	d.minutes(2)
	run := d.asked(token)
	if want := "[wider] " + "flow configure: changed (params.approval.allow_self_approval: none → true; params.approval.approvers: adds"; !strings.Contains(d.changed(run), want) {
		t.Errorf("people read %q, not %q", d.changed(run), want)
	}
	for _, who := range []store.User{asker, second} {
		if err := d.press(run, flow.ActionApprove, who); err == nil {
			t.Errorf("%s approved, whom the change would let do so", who.Name)
		}
	}
	d.minutes(1)
	d.wants(string(own.Attributes), own)
	d.click(run, flow.ActionApprove, first)
	d.look()
	d.wants(seized, own)
}

// TestPropose_Token: a token that is not valid any more takes what it proposed with it,
// whether that is asked for or approved already.
func TestPropose_Token(t *testing.T) {
	t.Parallel()
	for _, when := range []string{"proposed", "asked", "approved"} {
		t.Run(when, func(t *testing.T) {
			t.Parallel()
			d := newDesk(t)
			token := d.token(asker)
			a := d.created(d.configure(token), "a", `{"n":1}`)
			revoke := func() {
				if err := (store.Tokens{Store: d.memory, Org: "acme", Now: d.clock.Now}).Revoke(t.Context(), flow.Operator, token.ID); err != nil {
					t.Fatal(err)
				}
			}
			if when == "proposed" {
				revoke()
			}
			d.minutes(2)
			if when == "asked" {
				revoke()
			}
			if run := d.asked(token); run != "" {
				d.click(run, flow.ActionApprove, first)
				if when == "approved" {
					revoke()
				}
			}
			d.minutes(3)
			d.wants(`-`, a)
			if d.left(token) != 0 {
				t.Error("what the token proposed is proposed yet")
			}
		})
	}
}

// TestPropose_Closed: nothing comes into force where nobody can be asked, and somebody is
// told; once that is mended, it is asked for. No run but the one that lists a change
// decides on it.
func TestPropose_Closed(t *testing.T) {
	t.Parallel()
	for name, edit := range map[string]func(*flow.Flow){
		"no such flow":       func(f *flow.Flow) { f.Name = "other" },
		"no field":           func(f *flow.Flow) { f.Params.PromptFields = nil },
		"a field of choices": func(f *flow.Flow) { f.Params.PromptFields[0].AllowedValues = []string{"a"} },
		"another field": func(f *flow.Flow) {
			f.Params.PromptFields = append(f.Params.PromptFields, flow.PromptField{Name: "why", Type: flow.FieldString, Required: true, Visible: true})
		},
		"not by API": func(f *flow.Flow) { f.Params.AllowedSources = &[]flow.Channel{flow.ChannelSlack} },
		"nobody to ask": func(f *flow.Flow) {
			f.Environment.Admins, f.Params.Approval.Approvers = nil, []string{"user:" + asker.Email}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDesk(t, edit)
			token := d.token(asker)
			a := d.created(d.configure(token), "a", `{"n":1}`)
			d.minutes(5)
			d.wants(`-`, a)
			if name == "nobody to ask" { // which denies it
				if d.left(token) != 0 {
					t.Errorf("what nobody can approve is proposed yet: %+v; log:\n%.2000s", d.stand(), d.log)
				}
				return
			}
			p, err := d.inForce().Proposals().Get(t.Context(), token.ID)
			if err != nil || !strings.Contains(p.Trouble, "configure") || d.left(token) != 1 {
				t.Errorf("%d changes are proposed, and the trouble is %q (%v)", d.left(token), p.Trouble, err)
			}
			if !strings.Contains(d.told(), "can't be asked for") {
				t.Error("nobody is told why nobody is asked")
			}
			// A deploy mends that.
			d.name = "mended"
			mended := *d.flow
			approves(&mended)
			mended.Params.AllowedSources = nil
			mended.Params.Approval.Approvers = nil
			mended.Name = "mended"
			if _, err := (&store.Flows{Store: d.memory}).Publish(t.Context(), flow.Author{}, []*flow.Flow{d.flow, &mended}); err != nil {
				t.Fatal(err)
			}
			d.minutes(2)
			if run := d.asked(token); run == "" || d.run(run).Flow != "mended" {
				t.Fatalf("nobody is asked after it was mended; log:\n%.2000s", d.log)
			}
			d.click(d.asked(token), flow.ActionApprove, first)
			d.look()
			d.wants(`{"n":1}`, a)
		})
	}
	t.Run("another run", func(t *testing.T) {
		t.Parallel()
		d := newDesk(t)
		token := d.token(asker)
		a := d.created(d.configure(token), "a", `{"n":1}`)
		d.minutes(2)
		listed := d.changed(d.asked(token))
		forged, _, err := d.submit.RequestByAPI(t.Context(), workflow.APIRequest{
			Bot: bot, Token: token, FlowSRN: flow.FlowSRN("acme", "configure", flow.Latest), Inputs: map[string]any{workflow.FieldChanges: listed},
		})
		if err != nil {
			t.Fatal(err)
		}
		d.settle()
		d.pass(time.Minute)
		d.click(forged.ID, flow.ActionApprove, first)
		d.minutes(2)
		d.wants(`-`, a)
	})
	t.Run("another flow since", func(t *testing.T) {
		t.Parallel()
		d := newDesk(t)
		token := d.token(asker)
		a := d.created(d.configure(token), "a", `{"n":1}`)
		d.minutes(2)
		run := d.asked(token)
		d.name = "stricter"
		d.click(run, flow.ActionApprove, first)
		d.minutes(2)
		d.wants(`-`, a)
	})
}

// told is what the error channels are to be told.
func (d *desk) told() string {
	d.t.Helper()
	page, err := d.memory.List(d.t.Context(), store.Query{By: store.ByKind, Value: string(store.KindNotice)})
	if err != nil {
		d.t.Fatal(err)
	}
	var all strings.Builder
	for _, item := range page.Items {
		all.Write(item.Body)
	}
	return all.String()
}

// TestPropose_Long: however much is proposed, what people read fits, with what gets wider
// first, and says how much there is besides.
func TestPropose_Long(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	token := d.token(asker)
	mine := d.configure(token)
	none := workflow.Configure{Entities: d.inForce(), Check: mine.Check}
	for i := range 150 {
		e := d.created(none, fmt.Sprint("harmless", i), `{"label":"A"}`)
		d.replaced(mine, e, `{"label":"B"}`)
		d.created(mine, fmt.Sprint("target", i), `{"label":"`+strings.Repeat("x", 500)+`"}`)
	}
	d.minutes(2)
	text := d.changed(d.asked(token))
	if len(text) > 3000 || !strings.HasPrefix(text, "300 changes of the configuration, of which 150 may let something happen") || !strings.Contains(text, " more, of which ") || strings.Contains(text, "harmless") {
		t.Errorf("people read:\n%s", text)
	}
	d.click(d.asked(token), flow.ActionApprove, first)
	d.look()
	if d.left(token) != 0 {
		t.Errorf("%d changes are proposed yet", d.left(token))
	}
}

// TestPropose_Nobody: callers without a token can look, and change nothing.
func TestPropose_Nobody(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	c := d.configure(store.Token{}).By(nil)
	c = workflow.Configure{Entities: d.inForce(), Approval: "configure", Check: c.Check}.By(nil)
	_, err := c.Create(t.Context(), store.EntityChange{By: flow.Operator}, entity.Entity{Kind: entity.KindTarget, Type: "http", Name: "a", Owner: entity.API, Attributes: json.RawMessage(`{}`)})
	if flow.CodeOf(err) != flow.CodeForbidden {
		t.Errorf("a change by nobody who answers for it: %v", err)
	}
	if list, err := c.List(t.Context(), entity.KindTarget); err != nil || len(list) != 0 {
		t.Errorf("a look lists %d (%v)", len(list), err)
	}
}
