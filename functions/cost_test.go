package functions_test

import (
	"bytes"
	"flag"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/symflows/symflows/internal/store/dynamo/dynamotest"
)

var update = flag.Bool("update", false, "rewrite the tables of docs/cost.md")

// AWS's list prices in us-east-1, on demand, in dollars; docs/cost.md says where
// and when they were read.
const (
	perTransition = 0.025 / 1e3
	perWriteUnit  = 0.625 / 1e6
	perReadUnit   = 0.125 / 1e6
	perInvocation = 0.20 / 1e6
	perGBSecond   = 0.0000133334   // arm64
	perRequest    = 1.00 / 1e6     // HTTP API
	perAuditGB    = 0.029          // Firehose, in steps of 5 KB a record
	perSchedule   = 1.00 / 1e6     // an invocation by Scheduler
	perMessage    = 3 * 0.40 / 1e6 // SQS: it is sent, received and deleted
	perInOrder    = 0.50 / 1e6     // request of a FIFO queue
	perPut        = 5.00 / 1e6     // S3
	perGet        = 0.40 / 1e6
	perLogGB      = 0.50
)

// What can't be counted here is assumed: how long functions work (see docs/cost.md).
const (
	workSeconds = 0.1
	workGB      = 0.375 // between the 256 MB of most and the 512 MB of those that people wait for
	// Lambda's own lines about an invocation, in bytes.
	platformLog = 1000
)

// counted is what one run takes.
type counted struct {
	transitions, invocations, requests, records, schedules, messages, inOrder, puts, gets int
	meter                                                                                 dynamotest.Meter
	logBytes                                                                              int
}

// used counts what the account has served so far.
func (a *account) used() counted {
	a.mu.Lock()
	defer a.mu.Unlock()
	c := counted{invocations: len(a.invocations), records: len(a.shipped), meter: a.table.Meter()}
	for _, e := range a.executions {
		c.transitions += e.transitions()
	}
	for _, i := range a.invocations {
		if i.function == "sweep" && !bytes.Contains(i.payload, []byte("Records")) {
			c.invocations-- // the rule's, which is paid whether there are runs or not
		}
		if i.function == "transparency" {
			c.invocations-- // likewise; what it writes is counted
		}
		if i.function == "slack" || i.function == "api" || i.function == "tokens" {
			c.requests++
		}
	}
	for _, call := range a.calls {
		switch call.action {
		case "scheduler:CreateSchedule":
			c.schedules++ // it fires once
		case "sqs:SendMessage":
			if call.function == "relay" {
				c.inOrder++
			} else if call.function != "access" { // which a run of more than two minutes leaves to its schedule
				c.messages++
			}
		case "sqs:ReceiveMessage", "sqs:DeleteMessage":
			if call.function == "transparency" { // up to ten messages at once
				c.inOrder++
			}
		case "s3:PutObject":
			c.puts++
		case "s3:GetObject":
			c.gets++
		}
	}
	for _, l := range a.log {
		c.logBytes += len(l.line)
	}
	return c
}

// stepped tells whether a step of the request workflow has ended. The caller holds the lock.
func (a *account) stepped(step string) bool {
	return slices.ContainsFunc(a.invocations, func(i invocation) bool {
		return i.function == "approval" && i.failed == nil && bytes.Contains(i.payload, []byte(`"step":"`+step+`"`))
	})
}

// called counts the invocations of a function that have ended. The caller holds the lock.
func (a *account) called(function string) (n int) {
	for _, i := range a.invocations {
		if i.function == function {
			n++
		}
	}
	return n
}

func (c counted) minus(before counted) counted {
	c.transitions -= before.transitions
	c.invocations -= before.invocations
	c.requests -= before.requests
	c.records -= before.records
	c.schedules -= before.schedules
	c.messages -= before.messages
	c.inOrder -= before.inOrder
	c.puts -= before.puts
	c.gets -= before.gets
	c.logBytes -= before.logBytes
	c.meter.Writes -= before.meter.Writes
	c.meter.WriteUnits -= before.meter.WriteUnits
	c.meter.Reads -= before.meter.Reads
	c.meter.ReadUnits -= before.meter.ReadUnits
	return c
}

// item is a line of the bill of 1,000 runs.
type item struct {
	what    string
	n       float64 // a run
	dollars float64 // of 1,000 runs
}

func (c counted) bill() []item {
	invocations := float64(c.invocations)
	line := func(what string, n, price float64) item { return item{what, n, 1000 * n * price} }
	return []item{
		line("transitions of Step Functions", float64(c.transitions), perTransition),
		line("write units of DynamoDB", float64(c.meter.WriteUnits), perWriteUnit),
		line("read units of DynamoDB", c.meter.ReadUnits, perReadUnit),
		line("invocations of Lambda", invocations, perInvocation),
		line("GB-seconds of work", invocations*workSeconds*workGB, perGBSecond),
		line("requests to the HTTP API", float64(c.requests), perRequest),
		line("audit records to Firehose", float64(c.records), perAuditGB*5/(1<<20)),
		line("schedules", float64(c.schedules), perSchedule),
		line("messages of SQS", float64(c.messages), perMessage),
		line("requests to the queue of the log", float64(c.inOrder), perInOrder),
		line("files written to S3", float64(c.puts), perPut),
		line("files read from S3", float64(c.gets), perGet),
		line("KB of logs", (float64(c.logBytes)+invocations*platformLog)/1000, perLogGB/1e6),
	}
}

// TestCost: 1,000 runs of an access flow cost less than $0.35, and docs/cost.md says how
// much. Functions take turns, so that nothing is counted that depends on the machine: see
// takeTurns.
func TestCost(t *testing.T) {
	t.Parallel()
	a, g := product(t)
	a.takeTurns()
	if failed := a.minute("transparency"); failed != nil { // the hour has its checkpoint
		t.Fatalf("%+v", failed)
	}
	before, called := a.used(), a.slack.Calls()

	alice := a.slack.As("alice")
	a.must(alice.Command("/sym req prod-access"))
	a.notifies()
	a.must(alice.Fill(briefFields))
	a.must(alice.Submit())
	a.await("the execution to wait", func() bool { return a.stepped("await") })
	a.notifies()
	a.must(a.slack.As("bob").Click("", "Approve"))
	var run string
	a.await("access", func() bool {
		return slices.ContainsFunc(slices.Collect(maps.Values(a.executions)), func(e *execution) bool {
			run = startName.FindStringSubmatch(e.name)[1]
			return e.over
		})
	})
	a.notifies()
	// As of a run that takes longer: the schedule fires early, and two sweeps see the
	// end coming. The end of a brief one is handed to removal by access itself besides.
	a.fire(run)
	a.await("removal", func() bool { return len(a.queues[removalQueue].held) == 2 })
	a.sweep()
	a.sweep()
	a.await("the end", func() bool { return len(a.queues[removalQueue].visible) == 2 })
	a.mu.Lock()
	a.queues[removalQueue].visible = a.queues[removalQueue].visible[1:]
	a.mu.Unlock()
	a.take(removalQueue, "removal", 1)
	a.take(sweepQueue, "sweep", 2)
	// By the schedule, by its queue and for what that had; and for each message of the sweep's.
	a.await("removal to have been called by the sweep", func() bool { return a.called("removal") == 5 })
	a.notifies()
	a.ended(g, run)
	a.sees("alice", "*is over*")
	if failed := a.minute("transparency"); failed != nil { // as in an hour with many runs: see docs/cost.md
		t.Fatalf("%+v", failed)
	}
	a.shippedFor(run, "prompt", "request", "approve", "escalate", "deescalate")
	for method, most := range map[string]int{"views.open": 1, "chat.postMessage": 4, "chat.update": 4} { // as on one machine
		if n := a.slack.Calls()[method] - called[method]; n > most {
			t.Errorf("%d calls of Slack's %s, at most %d are promised", n, method, most)
		}
	}
	c := a.used().minus(before)
	if c.transitions > 7 {
		t.Errorf("%d transitions, at most 7 are promised", c.transitions)
	}
	bill := c.bill()
	total := item{what: "**in all**"}
	for _, i := range bill {
		total.dollars += i.dollars
	}
	bill = append(bill, total)
	if total.dollars >= 0.35 {
		t.Errorf("1,000 runs cost $%.3f, less than $0.35 is promised: %+v", total.dollars, c)
	}
	checkBill(t, filepath.Join("..", "docs", "cost.md"), bill)
}

// What a month without runs takes.
const (
	perSecret      = 0.40
	perAlarmMetric = 0.10
	perPolledQueue = 657_000 * 0.40 / 1e6 // five readers, of 20 s each time
	sweeps, looks  = 43_800, 2 * 8_760
	minutes, hours = 43_800, 730
)

// TestIdle: a month in which nobody asks for anything costs less than $4, by what the
// template has, and docs/cost.md says how much.
func TestIdle(t *testing.T) {
	t.Parallel()
	lines := func(golden string) []string {
		text, err := os.ReadFile(filepath.Join("..", "infra", "testdata", golden))
		if err != nil {
			t.Fatal(err)
		}
		return strings.Split(strings.TrimSpace(string(text)), "\n")
	}
	var secrets, queues, metrics float64
	for _, line := range lines("lasting.txt") {
		switch {
		case strings.Contains(line, "AWS::SecretsManager::Secret"):
			secrets++
		case strings.Contains(line, "AWS::Lambda::EventSourceMapping") && !strings.Contains(line, "StreamArn"):
			queues++
		}
	}
	for _, line := range lines("alarms.txt") {
		looked, _, _ := strings.Cut(line, " by ")
		metrics += 1 + float64(strings.Count(looked, " + "))
	}
	if secrets < 2 || queues < 3 || metrics < 10 {
		t.Fatalf("%v secrets, %v queues and %v metrics are not all", secrets, queues, metrics)
	}
	line := func(what string, n, price float64) item { return item{what, n, n * price} }
	bill := []item{
		line("secrets of Slack and the log", secrets, perSecret),
		line("metrics that alarms look at", metrics, perAlarmMetric),
		line("queues that Lambda polls", queues, perPolledQueue),
		line("sweeps", sweeps, perInvocation+0.02*0.25*perGBSecond+0.5*perReadUnit+1400*perLogGB/1e9),
		line("minutes of the log", minutes, perInvocation+0.02*0.25*perGBSecond+perInOrder+1400*perLogGB/1e9),
		line("hourly checkpoints", hours, 2*perPut+2*perGet+2*perReadUnit),
		line("looks of standing and drift", looks, perInvocation+workSeconds*workGB*perGBSecond+5*perReadUnit+1400*perLogGB/1e9),
	}
	total := item{what: "**in all, idle**"}
	for _, i := range bill {
		total.dollars += i.dollars
	}
	if total.dollars >= 4 {
		t.Errorf("an idle month costs $%.2f, less than $4 is promised", total.dollars)
	}
	checkBill(t, filepath.Join("..", "docs", "cost.md"), append(bill, total))
}

// row is a line of the table in docs/cost.md.
func (i item) row() string {
	times := ""
	if i.n > 0 {
		times = written(i.n)
	}
	return fmt.Sprintf("| %s | %s | %.3f |", i.what, times, i.dollars)
}

// written has three digits, or all of a count.
func written(n float64) string {
	if n == math.Trunc(n) {
		return strconv.FormatFloat(n, 'f', -1, 64)
	}
	return strconv.FormatFloat(n, 'g', 3, 64)
}

// mayVary are what differs from run to run by a unit or two: items are compressed, so that
// their size depends on the ids in them.
var mayVary = map[string]bool{"write units of DynamoDB": true, "read units of DynamoDB": true, "**in all**": true}

// checkBill holds the document to what was counted.
func checkBill(t *testing.T, path string, bill []item) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(text), "\n")
	for _, i := range bill {
		at := slices.IndexFunc(lines, func(line string) bool { return strings.HasPrefix(line, "| "+i.what+" |") })
		if at < 0 {
			t.Fatalf("%s has no line for %s: %s", path, i.what, i.row())
		}
		switch {
		case *update:
			lines[at] = i.row()
		case lines[at] != i.row() && (!mayVary[i.what] || !near(lines[at], i.row())):
			t.Errorf("%s is out of date, run go test ./functions -run Cost -update:\n%s\nis now\n%s", path, lines[at], i.row())
		}
	}
	if *update {
		if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// near allows for two units, and for $0.002 of 1,000 runs.
func near(a, b string) bool {
	one, other := strings.Split(a, "|"), strings.Split(b, "|")
	for column, most := range map[int]float64{2: 2, 3: 0.002} {
		x, _ := strconv.ParseFloat(strings.TrimSpace(one[column]), 64) // "" is none
		y, _ := strconv.ParseFloat(strings.TrimSpace(other[column]), 64)
		if math.Abs(x-y) > most+1e-9 {
			return false
		}
	}
	return true
}
