package functions_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/symflows/symflows/events"
	"github.com/symflows/symflows/internal/deadline"
	"github.com/symflows/symflows/internal/flow"
)

// flows are those of the tests, by the names of their files.
var flows = map[string]string{
	"environment.yaml": `
kind: integration
name: slack
type: slack
external_id: T0LOCAL
---
kind: error_logger
name: errors
integration_id: slack
destination: "#sym-errors"
---
kind: environment
name: main
integrations: {slack_id: slack}
error_logger_id: errors
admins: [lead@example.com]
lambda_arns: ["` + reportARN + `"]
`,
	"prod-access.yaml": `
kind: target
name: orders-db
type: aws_lambda_function
label: Orders database
settings: {arn: "` + grantARN + `"}
---
kind: strategy
name: databases
type: aws_lambda
targets: [orders-db]
---
kind: flow
name: prod-access
environment_id: main
params:
  strategy_id: databases
  prompt_fields:
    - {name: reason, type: string, label: Why}
    - {name: duration, type: duration, allowed_values: [1s, 4s, 1m, 1h]}
  approval:
    approvers: ["group:platform"]
    notify: [{channel: "#access-prod", timeout: 30m}]
`,
	"run-report.yaml": `
kind: flow
name: run-report
environment_id: main
params:
  prompt_fields: [{name: table, type: string, label: Table}]
  approval:
    approvers: ["group:platform"]
    notify: [{channel: "#general", timeout: 30m}]
  after_approve: {lambda_arn: "` + reportARN + `", payload: {table: fields.table, run: run.id}}
`,
	"hasty.yaml": `
kind: flow
name: hasty
environment_id: main
params:
  prompt_fields: [{name: reason, type: string, label: Why}]
  approval:
    approvers: ["group:platform"]
    notify:
      - {channel: "#general", timeout: 1s}
      - {users: [lead@example.com], timeout: 1s}
`,
}

// Functions of customers.
var (
	grantARN  = arn("lambda", "function:grant-database")
	reportARN = arn("lambda", "function:report")
)

// target is the customer's function that grants access to databases.
type target struct {
	account *account

	// The account's lock is held for these.
	granted map[string]bool // runs that were given access
	holds   map[string]bool // those that have it
	calls   []string        // the types of the events it was called with
	at      []time.Time     // when
	refuses *failure        // what it answers removals with, until it is nil
}

func (g *target) call(payload []byte) ([]byte, *failure) {
	g.account.mu.Lock()
	defer g.account.mu.Unlock()
	var request events.AuditRecord
	if err := json.Unmarshal(payload, &request); err != nil {
		return nil, &failure{"Error", err.Error()}
	}
	defer g.account.change()
	g.calls, g.at = append(g.calls, request.Event.Type), append(g.at, time.Now())
	if g.refuses != nil && request.Event.Type == "deescalate" {
		return nil, g.refuses
	}
	run := request.Run.SRN[strings.LastIndexByte(request.Run.SRN, ':')+1:]
	if request.Event.Type == "escalate" {
		g.granted[run], g.holds[run] = true, true
	} else {
		delete(g.holds, run)
	}
	return []byte(`{"body":{"database":"orders"},"errors":[]}`), nil
}

// product makes an account in which the flows above are published.
func product(t testing.TB) (*account, *target) {
	t.Helper()
	return productOf(t, flows)
}

// productOf makes one in which a configuration is published.
func productOf(t testing.TB, flows map[string]string) (*account, *target) {
	t.Helper()
	a := open(t)
	g := &target{account: a, granted: map[string]bool{}, holds: map[string]bool{}}
	a.customers[grantARN] = g.call
	a.customers[reportARN] = func(payload []byte) ([]byte, *failure) {
		return []byte(`{"rows":7,"asked":` + string(payload) + `}`), nil
	}
	if answer := a.deploy(flows); answer.Status != "SUCCESS" {
		t.Fatalf("publish answered %+v", answer)
	}
	return a, g
}

// request fills in a form in Slack, and gives the run's id when the message of
// the request is there and the decision is waited for: who decides before that
// saves the execution a state.
func (a *account) request(who, name, channel string, fields map[string]string) (run string) {
	a.t.Helper()
	p := a.slack.As(who)
	a.must(p.Command("/sym req " + name))
	// Where handlers have a say in it, another invocation shows the form.
	a.must(a.slack.Wait(deadline.Context(a.t), func() bool { return strings.Contains(p.Modal(), "[Submit]") }))
	a.must(p.Fill(fields))
	before := a.runs()
	a.must(p.Submit())
	a.await("the run", func() bool {
		for id := range a.runsLocked() {
			if !before[id] {
				run = id
			}
		}
		return run != ""
	})
	a.must(a.slack.Wait(deadline.Context(a.t), func() bool { return strings.Contains(a.slack.As("lead").Channel(channel), flow.ShortID(run)) }))
	a.await("the execution to wait", func() bool {
		return slices.ContainsFunc(a.invocations, func(i invocation) bool {
			return i.function == "approval" && i.failed == nil && bytes.Contains(i.payload, []byte(`"await"`)) && bytes.Contains(i.payload, []byte(run))
		})
	})
	return run
}

// about gives the newest message of a run that somebody sees: those of other runs
// may come later than they were asked for.
func (a *account) about(who, run string) (ts string) {
	a.t.Helper()
	for _, m := range a.slack.As(who).Visible() {
		shown, err := json.Marshal(m)
		a.must(err)
		if bytes.Contains(shown, []byte(run)) && m.ThreadTS == "" {
			ts = m.TS
		}
	}
	return ts
}

var startName = regexp.MustCompile(`^([0-9a-f-]{36})-\d+$`)

// runs gives the ids of runs that executions were started for.
func (a *account) runs() map[string]bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.runsLocked()
}

func (a *account) runsLocked() map[string]bool {
	ids := map[string]bool{}
	for name := range a.executions {
		ids[startName.FindStringSubmatch(name)[1]] = true
	}
	return ids
}

// shippedFor waits until the audit records of a run are these: an event and its
// state each.
func (a *account) shippedFor(run string, want ...string) []events.AuditRecord {
	a.t.Helper()
	var records []events.AuditRecord
	defer func() {
		if a.t.Failed() {
			a.t.Logf("shipped: %v", told(records))
		}
	}()
	a.await(fmt.Sprintf("the records %v", want), func() bool {
		records = a.recordsOf(run)
		return slices.Equal(told(records), want)
	})
	return records
}

func told(records []events.AuditRecord) (all []string) {
	for _, r := range records {
		line := r.Event.Type
		if r.State.Status != "completed" {
			line += " " + r.State.Status
		}
		all = append(all, line)
	}
	return all
}

// grants waits until the run was given access.
func (a *account) grants(g *target, run string) {
	a.t.Helper()
	a.await("access", func() bool { return g.granted[run] })
}

// ended waits until the run has no access, its executions are over and nothing is
// left of it.
func (a *account) ended(g *target, run string) {
	a.t.Helper()
	a.await("the end of access", func() bool { return len(g.calls) > 0 && g.calls[len(g.calls)-1] == "deescalate" && !g.holds[run] })
	a.await("the schedule to go", func() bool { return len(a.schedules) == 0 })
	a.await("the end of the executions", func() bool {
		return !slices.ContainsFunc(a.executionsOf(run), func(e *execution) bool { return !e.over })
	})
}

var accessFields = map[string]string{"Target": "Orders database", "Why": "to fix an order", "duration": "1 second"}

// briefFields ask for access that ends a while after the test has looked at it.
var briefFields = map[string]string{"Target": "Orders database", "Why": "to fix an order", "duration": "4 seconds"}

// TestAccessRun: a whole run, from the command to the end of access.
func TestAccessRun(t *testing.T) {
	t.Parallel()
	a, g := product(t)
	run := a.request("alice", "prod-access", "#access-prod", accessFields)
	a.must(a.slack.As("bob").Click("", "Approve"))
	a.grants(g, run)
	a.sees("alice", "✅ *Approved* by @Bob")
	a.ended(g, run)
	records := a.shippedFor(run, "prompt", "request", "approve", "escalate", "deescalate")
	end := records[4]
	if end.Fields["deescalate_type"] != "scheduled" || end.Run.Actors["approve"].Username != "bob@example.com" || end.Run.Actors["request"].Username != "alice@example.com" {
		t.Errorf("the last record is %+v", end)
	}
	a.sees("alice", "*Your access* to *Orders database* *is over*: its time was up")
	a.sees("bob", "*Access has ended*")

	a.mu.Lock()
	defer a.mu.Unlock()
	executions := a.executionsOf(run)
	if len(executions) != 1 || executions[0].failed != "" {
		t.Fatalf("executions: %+v", executions)
	}
	want := []string{"route", "await", "decide", "choice", "escalate"}
	if got := executions[0].entered; !slices.Equal(got, want) {
		t.Errorf("entered %v", got)
	}
	if n := executions[0].transitions(); n > 7 {
		t.Errorf("%d transitions, at most 7 are promised", n)
	}
	if len(g.calls) != 2 {
		t.Errorf("calls of the target: %v", g.calls)
	}
	if len(a.schedules) != 0 || len(a.deadLetters) != 0 {
		t.Errorf("left over: schedules %v, dead letters of %v", a.schedules, slices.Collect(maps.Keys(a.deadLetters)))
	}
}

// longFields ask for access that does not end while the test runs.
var longFields = map[string]string{"Target": "Orders database", "Why": "to fix an order", "duration": "1 hour"}

// TestRevoke: access that the approver ends early.
func TestRevoke(t *testing.T) {
	t.Parallel()
	a, g := product(t)
	run := a.request("alice", "prod-access", "#access-prod", longFields)
	a.must(a.slack.As("bob").Click("", "Approve"))
	a.grants(g, run)
	a.sees("bob", "[Revoke]")
	a.sees("alice", "Your request for *Orders database* was approved by @Bob")
	a.await("the schedule", func() bool { return len(a.schedules) == 1 })
	a.mu.Lock()
	for name, s := range a.schedules {
		var input struct {
			Run string `json:"run"`
		}
		if err := strictly([]byte(s.Target.Input), &input); err != nil || input.Run != run || name != run || s.Target.Arn != functionARN("removal") {
			t.Errorf("schedule %s: %+v, %v", name, s, err)
		}
	}
	a.mu.Unlock()
	a.must(a.slack.As("bob").Click("", "Revoke"))
	a.ended(g, run)
	records := a.shippedFor(run, "prompt", "request", "approve", "escalate", "deescalate")
	if end := records[4]; end.Fields["deescalate_type"] != "manual" || end.Actor.Username != "bob@example.com" {
		t.Errorf("the last record is %+v", end)
	}
	a.sees("alice", "*is over*: @Bob ended it.")
}

// TestDeny: nothing is granted.
func TestDeny(t *testing.T) {
	t.Parallel()
	a, g := product(t)
	run := a.request("alice", "prod-access", "#access-prod", longFields)
	a.must(a.slack.As("lead").Click("", "Deny"))
	a.shippedFor(run, "prompt", "request", "deny")
	a.sees("alice", "*denied*")
	a.await("the end of the execution", func() bool { return a.executionsOf(run)[0].over })
	if len(g.calls) != 0 {
		t.Errorf("the target was called: %v", g.calls)
	}
}

// TestApprovalOnly: what runs after the approval gets what was asked for, and
// its answer is recorded.
func TestApprovalOnly(t *testing.T) {
	t.Parallel()
	a, _ := product(t)
	run := a.request("alice", "run-report", "#general", map[string]string{"Table": "orders"})
	a.must(a.slack.As("bob").Click("", "Approve"))
	a.sees("alice", "*approved* your request for *run-report*")
	var output struct {
		AfterApprove struct {
			Rows  int
			Asked map[string]string
		} `json:"after_approve"`
	}
	a.await("the answer of the function", func() bool {
		records := a.recordsOf(run)
		if len(records) == 0 {
			return false
		}
		last := records[len(records)-1]
		return last.Event.Type == "approve" && json.Unmarshal(last.Output, &output) == nil && output.AfterApprove.Rows == 7
	})
	if asked := output.AfterApprove.Asked; asked["table"] != "orders" || asked["run"] != run {
		t.Errorf("the function was asked %v", asked)
	}
}

// TestExpire: the state machine's own time-outs move the request on, and end it.
func TestExpire(t *testing.T) {
	t.Parallel()
	a, _ := product(t)
	run := a.request("alice", "hasty", "#general", map[string]string{"Why": "to see it expire"})
	a.shippedFor(run, "prompt", "request", "request_forward", "request_expire")
	a.sees("alice", "*expired*")
	a.sees("lead", "to see it expire")
	a.await("the end of the execution", func() bool { return a.executionsOf(run)[0].over })
	a.mu.Lock()
	defer a.mu.Unlock()
	if all := a.executionsOf(run); len(all) != 1 || !slices.Contains(all[0].entered, "forward") {
		t.Errorf("executions: %+v", all)
	}
}
