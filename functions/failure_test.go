package functions_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/symflows/symflows/internal/config"
	"github.com/symflows/symflows/internal/slacksim"
)

// sdkTries is how often AWS's clients try a call that fails in passing: so many
// faults are one failure of the function.
const sdkTries = 3

// failuresOf lists the types of the errors that a function has reported. The
// caller holds the lock.
func (a *account) failuresOf(function string) (types []string) {
	for _, i := range a.invocations {
		if i.function == function && i.failed != nil {
			types = append(types, i.failed.Type)
		}
	}
	return types
}

// logs tells whether a function has logged a text. The caller holds the lock.
func (a *account) logs(function, text string) bool {
	return slices.ContainsFunc(a.log, func(l logged) bool { return l.function == function && strings.Contains(l.line, text) })
}

// TestThrottledWorkflow: Step Functions has too much to do when relay wants to
// start an execution.
func TestThrottledWorkflow(t *testing.T) {
	t.Parallel()
	a, _ := product(t)
	a.fail("relay", "states:StartExecution", sdkTries, http.StatusBadRequest, "ThrottlingException")
	run := a.request("alice", "prod-access", "#access-prod", longFields)
	a.must(a.slack.As("bob").Click("", "Deny"))
	a.shippedFor(run, "prompt", "request", "deny")
	a.mu.Lock()
	defer a.mu.Unlock()
	asked := func(i invocation) bool {
		return i.function == "relay" && strings.Contains(string(i.answer), "itemIdentifier")
	}
	if !slices.ContainsFunc(a.invocations, asked) {
		t.Error("relay did not ask for the change again")
	}
	if len(a.deadLetters) != 0 {
		t.Errorf("given up: %v", a.deadLetters)
	}
}

// TestFirehoseRefuses: audit records wait in their queue, and nothing waits for
// them. Those that are in the log already keep their places.
func TestFirehoseRefuses(t *testing.T) {
	t.Parallel()
	a, g := product(t)
	a.fail("transparency", "firehose:PutRecordBatch", 1000, http.StatusBadRequest, "InvalidKMSResourceException")
	run := a.request("alice", "prod-access", "#access-prod", accessFields)
	a.must(a.slack.As("bob").Click("", "Approve"))
	a.grants(g, run)
	a.ended(g, run)
	a.await("messages of the records", func() bool { return len(a.queues[logQueue].hidden) > 0 })
	a.mu.Lock()
	for _, m := range a.queues[logQueue].hidden {
		var items []struct {
			Run  string  `json:"run"`
			Item string  `json:"item"` // of what administrators did
			Revs []int64 `json:"revs"`
		}
		if err := strictly([]byte(m.Body), &items); err != nil || len(items) == 0 || (items[0].Run != run) == (items[0].Item == "") || len(items[0].Revs) == 0 {
			t.Errorf("message %s: %v", m.Body, err)
		}
	}
	a.mu.Unlock()
	a.heal()
	// Of the first batch, Firehose does not take the first record at once.
	a.fail("transparency", "firehose:PutRecordBatch", 1, http.StatusOK, "ServiceUnavailableException")
	a.sees("alice", "is over")
	a.reappear(logQueue)
	a.shippedFor(run, "prompt", "request", "approve", "escalate", "deescalate")
	a.await("the queue to be empty", func() bool {
		q := a.queues[logQueue]
		return len(q.hidden)+len(q.visible) == 0
	})
	a.verifyLog()
}

// TestSlackAsksToWait: notify waits, and the message arrives.
func TestSlackAsksToWait(t *testing.T) {
	t.Parallel()
	a, _ := product(t)
	a.slack.Inject("chat.postMessage", 2, slacksim.Fault{RetryAfter: time.Second})
	run := a.request("alice", "prod-access", "#access-prod", longFields)
	a.must(a.slack.As("bob").Click("", "Deny"))
	a.shippedFor(run, "prompt", "request", "deny")
	a.sees("alice", "*denied*")
	a.mu.Lock()
	defer a.mu.Unlock()
	if failed := a.failuresOf("notify"); len(failed) != 0 || len(a.deadLetters) != 0 {
		t.Errorf("notify failed: %v", failed)
	}
}

// TestSlackDown: what Slack does not take comes when it takes messages again, and
// is counted meanwhile, by the name that an alarm looks for.
func TestSlackDown(t *testing.T) {
	t.Parallel()
	a, _ := product(t)
	a.slack.Inject("chat.postMessage", 2, slacksim.Fault{Error: "account_inactive"})
	run := a.request("alice", "prod-access", "#access-prod", longFields)
	a.must(a.slack.As("bob").Click("", "Deny"))
	a.shippedFor(run, "prompt", "request", "deny")
	a.sees("alice", "*denied*")
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.logs("notify", `"`+config.MetricSlackUnreachable+`":2`) || !a.logs("notify", `"`+config.MetricDimension+`":"sym-flows-notify"`) {
		t.Error("notify did not count what Slack refused")
	}
}

// TestTargetFails: a target that can't be reached is asked again, for granting by
// the state machine, which knows the error by its type, and for removing by a
// person here, who need not wait for the back-off.
func TestTargetFails(t *testing.T) {
	t.Parallel()
	a, g := product(t)
	g.refuses = &failure{"OperationalError", "the database is being moved"}
	a.fail("access", "lambda:InvokeFunction "+grantARN, sdkTries, http.StatusInternalServerError, "ServiceException")
	run := a.request("alice", "prod-access", "#access-prod", accessFields)
	a.must(a.slack.As("bob").Click("", "Approve"))
	a.grants(g, run)
	a.mu.Lock()
	if failed := a.failuresOf("access"); len(failed) == 0 || failed[0] != "Retry" {
		t.Errorf("access failed with %v", failed)
	}
	a.mu.Unlock()
	a.sees("lead", "Taking access away failed")
	a.sees("lead", "the database is being moved")
	a.mu.Lock()
	g.refuses = nil
	a.mu.Unlock()
	a.must(a.slack.As("bob").Click("", "Retry"))
	a.ended(g, run)
	a.await("the record of the end", func() bool {
		records := told(a.recordsOf(run))
		return slices.Contains(records, "deescalate") && slices.Contains(records, "deescalate in_progress")
	})
}

// TestRemovalHasTwoPaths: the schedule, with the queue of removal, and the sweep, with
// its own, share nothing but access: either takes access away without the other, and
// without the stream, on time and not too early.
func TestRemovalHasTwoPaths(t *testing.T) {
	t.Parallel()
	// lasts has a run with access whose own message was lost, so that the schedule that
	// was made before the grant, or the sweep, ends it.
	lasts := func(t *testing.T, fields map[string]string) (*account, *target, string) {
		a, g := product(t)
		a.fail("access", "sqs:SendMessage", sdkTries, http.StatusServiceUnavailable, "ServiceUnavailable")
		run := a.request("alice", "prod-access", "#access-prod", fields)
		a.must(a.slack.As("bob").Click("", "Approve"))
		a.await("access that nothing ends", func() bool { return g.holds[run] && a.logs("access", "the sweep will find it") })
		return a, g, run
	}
	unarmed := func(t *testing.T) (*account, *target, string) { return lasts(t, accessFields) }
	// onTime waits for the end of access, which must not come too early.
	onTime := func(t *testing.T, a *account, g *target, run string, duration time.Duration) {
		t.Helper()
		a.await("the end of access", func() bool { return !g.holds[run] })
		a.mu.Lock()
		defer a.mu.Unlock()
		if lasted := g.at[len(g.at)-1].Sub(g.at[0]); lasted < duration {
			t.Errorf("access of %s lasted for %s", duration, lasted)
		}
	}
	t.Run("QueueOfRemoval", func(t *testing.T) { // the schedule fires early, and nobody waits
		t.Parallel()
		a, g, run := lasts(t, briefFields)
		a.stop("relay", "notify", sweepQueue)
		a.fire(run)
		a.await("a message of removal's", func() bool { return a.queued(removalQueue) == 1 })
		onTime(t, a, g, run, 4*time.Second)
	})
	t.Run("QueueOfSweep", func(t *testing.T) {
		t.Parallel()
		a, g, run := lasts(t, briefFields)
		a.mu.Lock()
		clear(a.schedules)
		a.mu.Unlock()
		a.stop("relay", "notify", removalQueue)
		a.sweep()
		a.await("a message of the sweep's", func() bool { return a.queued(sweepQueue) == 1 })
		onTime(t, a, g, run, 4*time.Second)
	})
	t.Run("SweepWithoutAnyQueue", func(t *testing.T) { // by one that comes after the end
		t.Parallel()
		a, g, run := unarmed(t)
		a.mu.Lock()
		clear(a.schedules)
		a.mu.Unlock()
		a.stop("relay", "notify", removalQueue, sweepQueue)
		has := func() bool {
			a.mu.Lock()
			defer a.mu.Unlock()
			return g.holds[run]
		}
		for has() { // what comes too early is lost in the queue
			<-a.clock.After(500 * time.Millisecond)
			a.sweep()
		}
		onTime(t, a, g, run, time.Second)
	})
	t.Run("LooseQueues", func(t *testing.T) { // which show messages twice, and the latest first
		t.Parallel()
		a, g := product(t)
		a.mu.Lock()
		a.queues[removalQueue].loose, a.queues[sweepQueue].loose = true, true
		a.mu.Unlock()
		run := a.request("alice", "prod-access", "#access-prod", briefFields)
		a.must(a.slack.As("bob").Click("", "Approve"))
		a.grants(g, run)
		a.sweep()
		a.sweep()
		onTime(t, a, g, run, 4*time.Second)
		a.ended(g, run)
		a.shippedFor(run, "prompt", "request", "approve", "escalate", "deescalate")
		a.mu.Lock()
		defer a.mu.Unlock()
		if len(g.calls) != 2 {
			t.Errorf("calls of the target: %v", g.calls)
		}
	})
	t.Run("Schedule", func(t *testing.T) {
		t.Parallel()
		a, g, run := unarmed(t)
		a.fire(run)
		a.ended(g, run)
	})
	t.Run("ScheduleOfAnEarlierRelease", func(t *testing.T) { // which called access
		t.Parallel()
		a, g, run := unarmed(t)
		a.mu.Lock()
		s := a.schedules[run]
		s.Target.Arn = functionARN("access")
		a.schedules[run] = s
		a.mu.Unlock()
		a.fire(run)
		a.ended(g, run)
	})
	t.Run("Sweep", func(t *testing.T) {
		t.Parallel()
		a, g, run := unarmed(t)
		a.fail("removal", "scheduler:DeleteSchedule", sdkTries, http.StatusInternalServerError, "InternalServerException")
		a.sweep()
		a.await("the end of access", func() bool { return len(g.calls) == 2 && !g.holds[run] })
		// What could not be deleted is by Lambda's next try.
		a.ended(g, run)
	})
}

// reported is a line of metrics in CloudWatch's embedded format.
type reported struct {
	AWS struct {
		Timestamp         int64
		CloudWatchMetrics []struct {
			Namespace  string
			Dimensions [][]string
			Metrics    []struct{ Name, Unit string }
		}
	} `json:"_aws"`
	FunctionName string
}

// has tells whether the line publishes a metric.
func (r reported) has(metric string) bool {
	for _, m := range r.AWS.CloudWatchMetrics {
		if m.Namespace == config.MetricNamespace && slices.ContainsFunc(m.Metrics, func(of struct{ Name, Unit string }) bool { return of.Name == metric }) {
			return true
		}
	}
	return false
}

// swept are the metrics that sweep logs.
type swept struct {
	reported
	RemovalsOverdue, RunsDriven, RunsFailed, EmergenciesUnreviewed, LooksMissed *int
}

// sweep has the rule fire that calls sweep each minute.
func (a *account) sweep() swept {
	a.t.Helper()
	const event = `{"version":"0","id":"53dc4d37-cffa-4f76-80c9-8b7d4a4d2eaa","detail-type":"Scheduled Event","source":"aws.events","account":"123456789012","time":"2026-03-02T09:00:00Z","region":"us-east-1","resources":["arn:aws:events:us-east-1:123456789012:rule/sym-flows-sweep"],"detail":{}}`
	a.mu.Lock()
	before := len(a.log)
	a.mu.Unlock()
	if _, failed := a.invoke(functionARN("sweep"), []byte(event)); failed != nil {
		a.t.Fatalf("sweep failed: %+v", failed)
	}
	var metrics swept
	a.await("its report", func() bool {
		for _, l := range a.log[before:] {
			if l.function == "sweep" && strings.Contains(l.line, config.CountRunsDriven) {
				if err := strictly([]byte(l.line), &metrics); err != nil {
					a.t.Errorf("%s: %v", l.line, err)
				}
				return true
			}
		}
		return false
	})
	return metrics
}

// TestSchedulerDown: nothing is granted whose removal is not scheduled.
func TestSchedulerDown(t *testing.T) {
	t.Parallel()
	a, g := product(t)
	a.fail("access", "scheduler:CreateSchedule", sdkTries, http.StatusInternalServerError, "InternalServerException")
	run := a.request("alice", "prod-access", "#access-prod", longFields)
	a.must(a.slack.As("bob").Click("", "Approve"))
	a.grants(g, run)
	a.mu.Lock()
	defer a.mu.Unlock()
	if failed := a.failuresOf("access"); !slices.Equal(failed, []string{"Retry"}) {
		t.Errorf("access failed with %v", failed)
	}
	if len(g.calls) != 1 || a.schedules[run].Target.Arn == "" {
		t.Errorf("calls of the target: %v; schedules: %v", g.calls, a.schedules)
	}
}

// TestSweepReports: the sweep says each time how it went, and publishes no metric of
// nothing. Those of something are in core's tests.
func TestSweepReports(t *testing.T) {
	t.Parallel()
	a, _ := product(t)
	got := a.sweep()
	if len(got.AWS.CloudWatchMetrics) != 0 {
		t.Errorf("a metric is paid for, of nothing: %+v", got)
	}
	for _, n := range []*int{got.RemovalsOverdue, got.RunsDriven, got.RunsFailed} {
		if n == nil || *n != 0 {
			t.Errorf("of nothing that is due: %+v", got)
		}
	}
}
