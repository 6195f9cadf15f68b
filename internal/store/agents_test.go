package store_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/store/storetest"
)

// agentRuns are runs of an agent, by whether they are over.
func agentRuns(t *testing.T) (agents store.Agents, put func(id string, status flow.Status), pass func(time.Duration)) {
	t.Helper()
	at := start
	now := func() time.Time { return at }
	agents = store.Agents{Runs: store.Runs{Store: &storetest.Memory{Now: now}}, Now: now}
	revs := map[string]int64{}
	put = func(id string, status flow.Status) {
		t.Helper()
		r, err := agents.Runs.Put(t.Context(), flow.Run{ID: id, Rev: revs[id], Org: "sym", Flow: "f", Status: status, Created: at})
		if err != nil {
			t.Fatal(err)
		}
		revs[id] = r.Rev
	}
	return agents, put, func(d time.Duration) { at = at.Add(d) }
}

var (
	helper  = flow.Actor{ID: flow.AgentID("sym", "helper", "alice@example.com"), Kind: flow.KindAgent, Name: "helper"}
	runOfNo = func(n int) string { return fmt.Sprintf("0d6e5a3c-%04d-4000-8000-000000000000", n) }
)

func TestAgents_AnHour(t *testing.T) {
	t.Parallel()
	agents, put, pass := agentRuns(t)
	limits := store.AgentLimits{AnHour: 2, AtOnce: 9}
	count := func(n int) error { return agents.Count(t.Context(), helper, limits, runOfNo(n)) }
	for n := range 2 {
		if err := count(n); err != nil {
			t.Fatal(err)
		}
		put(runOfNo(n), flow.Denied)
		pass(10 * time.Minute)
	}
	if err := count(1); err != nil {
		t.Errorf("the same request again: %v", err)
	}
	err := count(2)
	wantCode(t, err, flow.CodeAgentLimit)
	if !strings.Contains(err.Error(), "again after 2026-") {
		t.Errorf("it does not say when: %v", err)
	}
	other := flow.Actor{ID: flow.AgentID("sym", "helper", "bob@example.com"), Kind: flow.KindAgent, Name: "helper"}
	if err := agents.Count(t.Context(), other, limits, runOfNo(7)); err != nil {
		t.Errorf("another one's agent: %v", err)
	}
	pass(40*time.Minute - 1)
	wantCode(t, count(2), flow.CodeAgentLimit)
	pass(1)
	if err := count(2); err != nil {
		t.Errorf("an hour later: %v", err)
	}
	wantCode(t, count(3), flow.CodeAgentLimit)
}

func TestAgents_AtOnce(t *testing.T) {
	t.Parallel()
	agents, put, pass := agentRuns(t)
	limits := store.AgentLimits{AnHour: 100, AtOnce: 2}
	count := func(n int) error { return agents.Count(t.Context(), helper, limits, runOfNo(n)) }
	for n, status := range []flow.Status{flow.Requested, flow.Escalated} {
		if err := count(n); err != nil {
			t.Fatal(err)
		}
		put(runOfNo(n), status)
	}
	wantCode(t, count(2), flow.CodeAgentLimit)
	pass(24 * time.Hour) // it is still open
	wantCode(t, count(2), flow.CodeAgentLimit)
	put(runOfNo(1), flow.Deescalated)
	if err := count(2); err != nil {
		t.Errorf("once one has ended: %v", err)
	}
	// What was counted and never came to be counts for some minutes.
	wantCode(t, count(3), flow.CodeAgentLimit)
	pass(5 * time.Minute)
	if err := count(3); err != nil {
		t.Errorf("the run that never came to be still counts: %v", err)
	}
}

// However many ask at once, no more are let through than the limit has.
func TestAgents_AtTheSameTime(t *testing.T) {
	t.Parallel()
	agents, _, _ := agentRuns(t)
	var wg sync.WaitGroup
	var mu sync.Mutex
	passed := 0
	for n := range 20 {
		wg.Go(func() {
			if agents.Count(t.Context(), helper, store.AgentLimits{AnHour: 3, AtOnce: 9}, runOfNo(n)) == nil {
				mu.Lock()
				passed++
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if passed > 3 || passed == 0 {
		t.Errorf("%d were let through", passed)
	}
}

func TestTokens_Agent(t *testing.T) {
	t.Parallel()
	tokens, _, _ := clocked()
	for name, bad := range map[string]store.Token{
		"for people":      {Agent: true, People: []string{"bob@example.com"}},
		"for nobody":      {Agent: true, People: []string{}},
		"sees drift":      {Agent: true, Drift: true},
		"configures":      {Agent: true, Config: true},
		"no limit":        {Agent: true, Limits: store.AgentLimits{AnHour: 101, AtOnce: 1}},
		"a limit below":   {Agent: true, Limits: store.AgentLimits{AnHour: -1}},
		"limits of a bot": {Limits: store.AgentLimits{AnHour: 1}},
		"no owner":        {Agent: true, Owner: "-"},
	} {
		bad.Bot = "helper"
		if bad.Owner == "" {
			bad.Owner = "alice@example.com"
		}
		_, _, err := tokens.Create(t.Context(), flow.Operator, bad, time.Hour)
		if flow.CodeOf(err) != flow.CodeInvalid {
			t.Errorf("%s: %v", name, err)
		}
	}
	value, made, err := tokens.Create(t.Context(), flow.Operator, store.Token{Bot: "helper", Agent: true, Owner: "Alice@example.com"}, time.Hour)
	if err != nil || made.Limits != store.DefaultAgentLimits {
		t.Fatalf("%+v, %v", made, err)
	}
	who, _, err := tokens.Check(t.Context(), value)
	if err != nil || who.Kind != flow.KindAgent || who.Name != "helper" || who.ID == flow.UserID("sym", "helper") {
		t.Errorf("it stands for %+v, %v", who, err)
	}
	// Another owner makes it another agent, who knows nothing of what the first one did.
	if _, err := tokens.SetOwner(t.Context(), flow.Operator, made.ID, "bob@example.com"); err != nil {
		t.Fatal(err)
	}
	other, _, err := tokens.Check(t.Context(), value)
	if err != nil || other.ID == who.ID {
		t.Errorf("under another owner it is %+v, %v", other, err)
	}
	// Shut out, none of its tokens is good, and a new one is.
	at := store.Agents{Runs: store.Runs{Store: tokens.Store}, Now: tokens.Now}
	if err := at.ShutOut(t.Context(), flow.Operator, other, flow.Actor{Email: "bob@example.com"}); err != nil {
		t.Fatal(err)
	}
	_, _, err = tokens.Check(t.Context(), value)
	wantCode(t, err, flow.CodeUnauthenticated)
	if list, err := tokens.List(t.Context()); err != nil || len(list) != 1 || list[0].Revoked == nil || list[0].Revoked.By.Name != flow.Operator.Name {
		t.Errorf("listed as %+v, %v", list, err)
	}
	next, _, err := tokens.Create(t.Context(), flow.Operator, store.Token{Bot: "helper", Agent: true, Owner: "bob@example.com"}, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := tokens.Check(t.Context(), next); err != nil {
		t.Errorf("the new token: %v", err)
	}
	_, _, err = tokens.Check(t.Context(), value)
	wantCode(t, err, flow.CodeUnauthenticated)
}
