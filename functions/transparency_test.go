package functions_test

import (
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	awsevents "github.com/aws/aws-lambda-go/events"
	"github.com/google/uuid"

	"github.com/symflows/symflows/events"
	"github.com/symflows/symflows/internal/config"
	"github.com/symflows/symflows/internal/transparency/stranger"
)

// logFiles are the files of the transparency log, as who may read its bucket sees them. The
// caller holds the lock.
func (a *account) logFiles() fstest.MapFS {
	files := fstest.MapFS{}
	for path, data := range a.objects {
		if name, in := strings.CutPrefix(path, "/"+logBucket+"/"); in && !a.markers[path] {
			files[name] = &fstest.MapFile{Data: data}
		}
	}
	return files
}

// verifyLog has a stranger verify the log, and holds the lines that Firehose took to it:
// each record is in the log once, and each line says where. It gives the records.
func (a *account) verifyLog() []string {
	a.t.Helper()
	a.mu.Lock()
	defer a.mu.Unlock()
	files := a.logFiles()
	leaves, _, err := stranger.Verify(files, strings.TrimSpace(string(files["public-key"].Data)))
	if err != nil {
		a.t.Fatal(err)
	}
	var logged []string
	for _, leaf := range leaves {
		var r struct {
			ID   string
			Meta struct{ Revision int64 }
		}
		a.must(json.Unmarshal(leaf, &r))
		logged = append(logged, fmt.Sprint(r.ID, ".", r.Meta.Revision))
	}
	if twice := slices.Compact(slices.Sorted(slices.Values(logged))); len(twice) != len(logged) {
		a.t.Errorf("%d records are in the log %d times", len(twice), len(logged))
	}
	lines := map[int64]bool{}
	line := func(id string, rev int64, place *events.AuditLogPlace) {
		if place == nil || place.Index >= int64(len(logged)) || logged[place.Index] != fmt.Sprint(id, ".", rev) {
			a.t.Errorf("the line of %s.%d is at %+v", id, rev, place)
			return
		}
		lines[place.Index] = true
	}
	for _, r := range a.shipped {
		line(r.ID, r.Meta.Revision, r.Log)
	}
	for _, r := range a.acts {
		line(r.ID, r.Meta.Revision, r.Log)
	}
	if len(lines) != len(leaves) {
		a.t.Errorf("%d of %d records have lines", len(lines), len(leaves))
	}
	return logged
}

// logSettled waits until everything that was queued is in the log.
func (a *account) logSettled() {
	a.t.Helper()
	a.await("the queue of the log to be empty", func() bool { q := a.queues[logQueue]; return len(q.visible)+len(q.hidden) == 0 })
}

// TestTransparency: what happens to runs and what administrators do is in one log, which a
// stranger can verify; and a receipt of the API proves an approval.
func TestTransparency(t *testing.T) {
	t.Parallel()
	a, _ := product(t)
	run := a.request("alice", "run-report", "#general", map[string]string{"Table": "orders"})
	a.must(a.slack.As("bob").Click("", "Approve"))
	a.shippedFor(run, "prompt", "request", "approve")
	token := a.token("ci").Value
	a.await("the record of the token", func() bool {
		return slices.ContainsFunc(a.acts, func(r events.AdminRecord) bool { return r.Event.Type == "token_create" && r.Log != nil })
	})
	a.logSettled()
	a.verifyLog()

	var receipts events.RunReceipts
	a.ask("GET", "/api/v1/runs/"+run+"/receipt", nil, bearer(token), http.StatusOK, &receipts)
	if len(receipts.Receipts) != 3 || len(receipts.Keys) != 1 || !strings.HasPrefix(receipts.Keys[0], logOrigin+"+") {
		t.Fatalf("%+v", receipts)
	}
	for _, r := range receipts.Receipts {
		if err := stranger.CheckReceipt([]byte(r.Record), r.Proof, receipts.Keys[0]); err != nil {
			t.Errorf("%s: %v", r.EventType, err)
		}
	}

	// An hour in which nothing happens has its checkpoint, too.
	a.mu.Lock()
	hours := 0
	for name := range a.logFiles() {
		if strings.HasPrefix(name, "checkpoints/") {
			hours++
		}
	}
	secret := a.secrets[logKey]
	for _, l := range a.log {
		if strings.Contains(l.line, secret) || strings.Contains(l.line, "PRIVATE+KEY") {
			t.Errorf("the key is in a log: %s", l.line)
		}
	}
	a.mu.Unlock()
	if hours == 0 {
		t.Error("no checkpoint is kept")
	}
}

// TestTransparency_Crash: the writer ends at each of its calls that change anything, before
// it and after it, and whoever comes next goes on. Nothing is lost, nothing is twice.
func TestTransparency_Crash(t *testing.T) {
	t.Parallel()
	a, _ := product(t)
	a.logSettled()
	a.stop(logQueue)
	actions := []string{"dynamodb:PutItem", "s3:PutObject", "firehose:PutRecordBatch", "sqs:DeleteMessage", "dynamodb:GetItem", "s3:GetObject", "sqs:ReceiveMessage"}
	run := 0
	for _, action := range actions {
		for nth := range 4 {
			run++
			var token events.CreatedToken
			a.ask("POST", "/api/v1/tokens", events.CreateTokenInput{Bot: fmt.Sprint("bot-", run), Owner: "lead@example.com", Expires: "1d"}, a.signed, http.StatusOK, &token)
			a.await("the record to be queued", func() bool { return len(a.queues[logQueue].visible) > 0 })
			a.failAfter("transparency", action, nth)
			failed := a.minute("transparency")
			a.heal()
			a.reappear(logQueue)
			if again := a.minute("transparency"); again != nil {
				t.Errorf("%s, call %d: %+v, and then %+v", action, nth, failed, again)
			}
		}
	}
	a.logSettled()
	if logged := a.verifyLog(); len(logged) < run {
		t.Errorf("%d records of %d", len(logged), run)
	}
}

// TestTransparency_Twice: what relay hands on twice, in any order, and to two writers at
// once, is in the log once.
func TestTransparency_Twice(t *testing.T) {
	t.Parallel()
	a, _ := product(t)
	a.logSettled()
	a.stop(logQueue)
	for n := range 12 {
		a.token(fmt.Sprint("bot-", n))
	}
	a.await("the records to be queued", func() bool { return len(a.queues[logQueue].visible) > 0 && a.count("relay", "sqs:SendMessage") > 0 })
	a.mu.Lock()
	q := a.queues[logQueue]
	for range 3 { // after the five minutes in which SQS knows a message
		again := slices.Clone(q.visible)
		rand.Shuffle(len(again), func(i, j int) { again[i], again[j] = again[j], again[i] })
		for i := range again {
			again[i].MessageId, again[i].ReceiptHandle = uuid.NewString(), uuid.NewString()
		}
		q.visible = append(q.visible, again...)
	}
	q.crowded = true
	a.mu.Unlock()
	a.replaceFunctions()
	var ends []chan *failure
	for range 3 {
		end := make(chan *failure, 1)
		ends = append(ends, end)
		go func() { end <- a.minute("transparency") }()
	}
	for _, end := range ends {
		if failed := <-end; failed != nil {
			t.Errorf("%+v", failed)
		}
	}
	a.mu.Lock()
	q.crowded = false
	a.mu.Unlock()
	a.reappear(logQueue)
	if failed := a.minute("transparency"); failed != nil {
		t.Errorf("%+v", failed)
	}
	a.logSettled()
	a.verifyLog()
}

// TestTransparency_SetAside: what can't be logged keeps nobody waiting, and is told.
func TestTransparency_SetAside(t *testing.T) {
	t.Parallel()
	a, _ := product(t)
	a.logSettled()
	a.stop(logQueue)
	a.token("first")
	a.await("the record to be queued", func() bool { return len(a.queues[logQueue].visible) > 0 })
	a.mu.Lock()
	q := a.queues[logQueue]
	broken := q.visible[0]
	broken.MessageId, broken.ReceiptHandle, broken.Body = uuid.NewString(), uuid.NewString(), "no JSON"
	sum := md5.Sum([]byte(broken.Body))
	broken.Md5OfBody = hex.EncodeToString(sum[:])
	q.visible = append(q.visible[:0:0], append([]awsevents.SQSMessage{broken}, q.visible...)...)
	before := len(a.acts)
	a.mu.Unlock()
	if failed := a.minute("transparency"); failed != nil {
		t.Errorf("%+v", failed)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if dead := a.queues[logDead].visible; len(dead) != 1 || dead[0].Body != "no JSON" || len(q.visible)+len(q.hidden) != 0 || len(a.acts) == before {
		t.Errorf("set aside %+v, left %v, and %d acts", dead, q, len(a.acts))
	}
	if !a.logs("transparency", config.FailureNotLogged) {
		t.Error("it is not told")
	}
}

// TestTransparency_Prune: who administers the account has the log sign what need not be kept,
// and is told from where on it is.
func TestTransparency_Prune(t *testing.T) {
	t.Parallel()
	a, _ := product(t)
	a.logSettled()
	answer, failed := a.invoke(functionARN("transparency"), []byte(`{"prune_before":"2020-01-01"}`))
	if failed != nil || string(answer) != `{"kept_from":0}` {
		t.Errorf("%s %+v", answer, failed)
	}
	for _, bad := range []string{`{}`, `{"prune_before":"yesterday"}`} {
		if _, failed := a.invoke(functionARN("transparency"), []byte(bad)); failed == nil || !strings.Contains(failed.Message, "prune_before") {
			t.Errorf("%s: %+v", bad, failed)
		}
	}
}
