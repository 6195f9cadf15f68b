package functions_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	awsevents "github.com/aws/aws-lambda-go/events"
)

// turns has functions work one after the other, once they are taken: what a run takes
// is then the same each time, however busy the machine is.
type turns struct {
	taken atomic.Bool
	mu    sync.Mutex     // held by whoever's turn it is
	read  map[string]int // how far the readers of the stream are
}

// takeTurns has functions work one after the other from now on, when nothing is under
// way. Relay is called for each change alone, as soon as the function that made it has
// ended. Nobody else is called who reads the stream or a queue: that is for
// [account.notifies] and [account.take].
func (a *account) takeTurns() {
	a.t.Helper()
	records := a.table.Records(0)
	for _, reader := range streamReaders {
		of := slices.DeleteFunc(slices.Clone(records), func(r awsevents.DynamoDBEventRecord) bool { return !reader.passes(r) })
		if len(of) == 0 {
			continue
		}
		change := fmt.Sprintf("%q:%q", "SequenceNumber", of[len(of)-1].Change.SequenceNumber)
		a.await(reader.function+" to have read all changes", func() bool {
			return slices.ContainsFunc(a.invocations, func(i invocation) bool {
				return i.function == reader.function && bytes.Contains(i.payload, []byte(change))
			})
		})
	}
	a.await("config to have looked at what was deployed", func() bool {
		looks := 0
		for _, c := range a.calls {
			if c.function == "relay" && c.action == "lambda:InvokeFunction" && c.resource == functionARN("config") {
				looks++
			}
		}
		return looks > 0 && a.called("config") == looks
	})
	a.logSettled()
	a.stop("relay", "notify", logQueue, grantLooks, removalQueue, sweepQueue)
	a.await("the minute to be over", func() bool { return !a.inMinute })
	a.turns.read = map[string]int{}
	for reader := range streamReaders {
		a.turns.read[reader] = len(records)
	}
	a.turns.taken.Store(true)
}

// turn waits until it is a function's turn, and returns what ends it.
func (a *account) turn() (end func()) {
	if !a.turns.taken.Load() {
		return func() {}
	}
	a.turns.mu.Lock()
	return func() {
		defer a.turns.mu.Unlock()
		for records := a.unread("relay"); len(records) > 0; records = a.unread("relay") {
			for _, r := range records {
				a.read("relay", r)
			}
		}
	}
}

// unread gives what a reader of the stream has not been given yet. It is somebody's turn.
func (a *account) unread(reader string) (records []awsevents.DynamoDBEventRecord) {
	for _, r := range a.table.Records(a.turns.read[reader]) {
		a.turns.read[reader]++
		if streamReaders[reader].passes(r) {
			records = append(records, r)
		}
	}
	return records
}

// read calls a reader of the stream for a batch, which it has to take.
func (a *account) read(reader string, batch ...awsevents.DynamoDBEventRecord) {
	payload, err := json.Marshal(awsevents.DynamoDBEvent{Records: batch})
	if err != nil {
		panic(err) // it came from JSON
	}
	answer, failed := a.process(functionARN(reader), payload)
	if failed != nil || firstFailure(batch, answer) < len(batch) {
		a.t.Errorf("%s did not take %s: %s, %+v", reader, payload, answer, failed)
	}
}

// notifies has notify read what has changed, as one batch, until nothing changes by that.
func (a *account) notifies() {
	for more := true; more; {
		end := a.turn()
		batch := a.unread("notify")
		if more = len(batch) > 0; more {
			a.read("notify", batch...)
		}
		end()
	}
}

// take has a function take the messages of a queue, one at a time, once there are so many.
func (a *account) take(url, function string, n int) {
	a.t.Helper()
	a.await(fmt.Sprintf("%d messages in %s", n, url), func() bool { return len(a.queues[url].visible) >= n })
	a.mu.Lock()
	batch := a.queues[url].visible
	a.queues[url].visible = nil
	a.mu.Unlock()
	if len(batch) != n {
		a.t.Errorf("%d messages in %s, not %d", len(batch), url, n)
	}
	for _, m := range batch {
		if left := a.offer(function, []awsevents.SQSMessage{m}); len(left) > 0 {
			a.t.Errorf("%s did not take %s", function, m.Body)
		}
	}
}
