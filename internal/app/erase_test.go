package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/store/dynamo"
	"github.com/symflows/symflows/internal/store/dynamo/dynamotest"
)

// erasing is a table in AWS with closed runs of Alice's and Bob's.
type erasing struct {
	*testing.T
	table      *dynamotest.Server
	db         store.Store
	outputs    string
	alice, bob flow.Actor
	asked      time.Time
}

// newErasing makes one beside others; the environment is the test's.
func newErasing(t *testing.T) *erasing {
	t.Helper()
	table := dynamotest.Start(t)
	t.Setenv("AWS_ENDPOINT_URL_DYNAMODB", table.URL())
	e := &erasing{
		T: t, table: table, db: dynamo.New(table.Config(), dynamotest.TableName, time.Now), outputs: filepath.Join(t.TempDir(), "outputs.json"),
		asked: time.Now().UTC().Add(-time.Hour).Truncate(time.Second),
	}
	text, err := json.Marshal(map[string]map[string]string{"sym-flows": {"TableName": dynamotest.TableName, "OrgName": "acme", "AuditBucketName": "records", "LogBucketName": "log"}})
	if err == nil {
		err = os.WriteFile(e.outputs, text, 0o600)
	}
	person := func(email, name, id string) flow.Actor {
		who := flow.Actor{ID: flow.UserID("acme", email), Kind: flow.KindPerson, Email: email, Name: name, SlackID: id, SlackTeam: "T1"}
		if err == nil {
			_, err = store.Users{Store: e.db, Keeper: true}.Remember(t.Context(), store.User{Actor: who, Role: store.RoleMember, Account: store.Account{Realm: store.RealmWorkspace, Space: "T1", ID: id}, SeenAt: e.asked})
		}
		return who
	}
	e.alice, e.bob = person("alice@example.com", "Alice Liddell", "U0ALICE"), person("bob@example.com", "Bob", "U0BOB")
	if err != nil {
		t.Fatal(err)
	}
	e.run(1, e.alice, e.bob, flow.Deescalated)
	e.run(2, e.bob, e.alice, flow.Denied)
	return e
}

// run stores a run, and where it is listed.
func (e *erasing) run(n int, requester, approver flow.Actor, status flow.Status) flow.Run {
	e.Helper()
	id := fmt.Sprintf("%08x-0000-4000-8000-%08x0000", n, n)
	r := flow.Run{
		ID: id, Org: "acme", Flow: "f", FlowTitle: "F", Created: e.asked, Status: status, Requester: requester, Target: &flow.Target{Name: "orders-db"},
		Fields: map[string]any{"reason": "ask Alice@Example.com"},
		Events: []flow.Event{{ID: flow.EventID(id, 1), Name: flow.EventRequest, Actor: requester, At: e.asked, State: flow.StateCompleted, Rev: 1}, {ID: flow.EventID(id, 2), Name: flow.EventApprove, Actor: approver, At: e.asked, State: flow.StateCompleted, Rev: 1}},
	}
	r, err := store.Runs{Store: e.db}.Put(context.Background(), r) // from within requests of the command too
	if err == nil {
		err = store.Lists{Store: e.db, Now: time.Now}.Follow(context.Background(), r, r.TargetID(), []string{approver.ID})
	}
	if err != nil {
		e.Error(err)
	}
	return r
}

// close has a run come to its end.
func (e *erasing) close(id string) {
	e.Helper()
	runs := store.Runs{Store: e.db}
	r, err := runs.Get(e.Context(), id)
	if err == nil {
		r.Status = flow.Denied
		_, err = runs.Put(e.Context(), r)
	}
	if err != nil {
		e.Fatal(err)
	}
}

// named lists the keys of what names Alice, be it in an index alone.
func (e *erasing) named() (keys []string) {
	e.Helper()
	note := func(q store.Query, all bool) {
		for q.Limit = 200; ; {
			page, err := e.db.List(e.Context(), q)
			if err != nil {
				e.Fatal(err)
			}
			for _, item := range page.Items {
				text := strings.ToLower(item.Key + string(item.Body) + item.Index.Requester + item.Index.Status)
				if all || strings.Contains(text, "alice@") || strings.Contains(text, "u0alice") || strings.Contains(text, "liddell") || strings.Contains(text, e.alice.ID) {
					keys = append(keys, item.Key)
				}
			}
			if q.Cursor = page.Cursor; q.Cursor == "" {
				return
			}
		}
	}
	for _, k := range store.Kinds() {
		if !k.Single() && k != store.KindErasure && store.ListedByKind(string(k)) {
			note(store.Query{By: store.ByKind, Value: string(k)}, false)
		}
	}
	if _, err := e.db.Get(e.Context(), store.KindSlackUser.Key("T1#U0ALICE")); !errors.Is(err, store.ErrNotFound) {
		keys = append(keys, "her account in Slack")
	}
	note(store.Query{By: store.ByRequester, Value: e.alice.ID}, true)
	note(store.Query{By: store.ByStatus, Value: store.ListOfDecider(e.alice.ID)}, true)
	return keys
}

func (e *erasing) local(args ...string) (string, error) {
	e.Helper()
	return runLocal(e.T, append(args, "-outputs", e.outputs)...)
}

// TestErase_AWS: the command erases somebody from the table of a deployment, unless they
// have something open, waits for what others have open, and is recorded.
func TestErase_AWS(t *testing.T) {
	inAWS(t)
	e := newErasing(t)
	open, live := e.run(3, e.alice, e.bob, flow.Requested), e.run(4, e.alice, e.bob, flow.Escalated)
	before := fmt.Sprint(e.named())
	out, err := e.local("erase", "Alice@example.com")
	if err == nil || !strings.Contains(err.Error(), flow.ShortID(open.ID)) || !strings.Contains(err.Error(), flow.ShortID(live.ID)) {
		t.Fatalf("with something open: %v\n%s", err, out)
	}
	if out, err := e.local("erase", "-pending"); err != nil || out != "" || fmt.Sprint(e.named()) != before {
		t.Errorf("it erases what was refused: %q, %v, named are %q", out, err, e.named())
	}
	e.close(open.ID)
	e.close(live.ID)
	others := e.run(5, e.bob, e.alice, flow.Escalated)
	out, err = e.local("erase", "alice@example.com")
	if err != nil || !strings.Contains(out, "waits until 1 run of others are closed, the first of them "+flow.ShortID(others.ID)) {
		t.Fatalf("with a run of somebody else's open: %v\n%s", err, out)
	}
	pseudonym := regexp.MustCompile(`erased-[a-z0-9]+`).FindString(out)
	if r, err := (store.Runs{Store: e.db}).Get(t.Context(), others.ID); err != nil || r.Rev != others.Rev {
		t.Errorf("live access was touched: revision %d, %v", r.Rev, err)
	}
	e.close(others.ID)
	if out, err := e.local("erase", "-pending"); err != nil || out != "" {
		t.Errorf("once it is closed: %v\n%s", err, out)
	}
	if left := e.named(); len(left) > 0 {
		t.Errorf("left are %q", left)
	}
	page, err := store.Runs{Store: e.db}.List(t.Context(), store.Query{By: store.ByRequester, Value: pseudonym})
	if err != nil || len(page.Runs) != 3 {
		t.Errorf("%d runs by the pseudonym, %v", len(page.Runs), err)
	}
	if a := actsIn(t, e.db)["erase person"]; a.About.Name != pseudonym || a.Result != flow.ActDone {
		t.Errorf("recorded is %+v", a)
	}
	for _, args := range [][]string{{"erase"}, {"erase", "alice@example.com", "-pending"}, {"erase", "alice"}} {
		if out, err := e.local(args...); err == nil {
			t.Errorf("%q does %q", args, out)
		}
	}
}

// TestErase_Interrupted: an erasure that ends at any of its writes, whether or not that
// happened, is gone on with, and comes to the same end.
func TestErase_Interrupted(t *testing.T) {
	inAWS(t)
	for at := 1; ; at++ {
		e := newErasing(t)
		writes, interrupted := 0, false
		e.table.Fail(func(c dynamotest.Call) dynamotest.Fault {
			if c.Op != "PutItem" && c.Op != "DeleteItem" || c.Attempt > 1 && !interrupted {
				return dynamotest.None
			}
			if writes++; writes < at && !interrupted {
				return dynamotest.None
			}
			if interrupted = true; at%2 == 0 && writes == at {
				return dynamotest.AnswerLost
			}
			return dynamotest.Broken // whatever is tried after it
		})
		_, err := e.local("erase", "alice@example.com")
		e.table.Fail(nil)
		if !interrupted {
			if err != nil || at < 6 {
				t.Errorf("all of it are %d writes, %v", at-1, err)
			}
			break
		}
		if err == nil {
			t.Errorf("write %d failed, and nobody heard", at)
		}
		if out, err := e.local("erase", "-pending"); err != nil || out != "" {
			t.Errorf("after write %d: %v\n%s", at, err, out)
		}
		if at <= 2 { // it was not written down that she asked, or that it begins
			if out, err := e.local("erase", "alice@example.com"); err != nil {
				t.Errorf("asked again after write %d: %v\n%s", at, err, out)
			}
		}
		if left := e.named(); len(left) > 0 {
			t.Errorf("after write %d: left are %q", at, left)
		}
		if a := actsIn(t, e.db)["erase person"]; a.Result != flow.ActDone {
			t.Errorf("after write %d: recorded is %+v", at, a)
		}
	}
}

// TestErase_AsksMeanwhile: a request that somebody makes while they are erased is not
// touched before it is closed, whenever it comes, and nothing of it is left after that.
func TestErase_AsksMeanwhile(t *testing.T) {
	inAWS(t)
	for at := 1; ; at++ {
		e := newErasing(t)
		calls, over := 0, false
		var asked *flow.Run
		e.table.Fail(func(c dynamotest.Call) dynamotest.Fault {
			if c.Op == "Query" && asked == nil {
				if calls++; calls == at {
					asked = &flow.Run{} // what follows are calls of the test's own
					page, err := e.db.List(context.Background(), store.Query{By: store.ByKind, Value: string(store.KindErasure)})
					over = err == nil && len(page.Items) == 1 && !strings.Contains(string(page.Items[0].Body), "alice")
					*asked = e.run(9, e.alice, e.bob, flow.Requested)
				}
			}
			return dynamotest.None
		})
		out, err := e.local("erase", "alice@example.com")
		e.table.Fail(nil)
		if asked == nil {
			if at < 12 {
				t.Errorf("there were only %d queries", calls)
			}
			break
		}
		runs := store.Runs{Store: e.db}
		r, readErr := runs.Get(t.Context(), asked.ID)
		if readErr != nil || r.Rev != asked.Rev || r.Requester.Email != e.alice.Email {
			t.Errorf("query %d: her open request is %+v at revision %d, %v", at, r.Requester, r.Rev, readErr)
		}
		if err != nil { // it was seen in time
			if !strings.Contains(err.Error(), flow.ShortID(asked.ID)) {
				t.Errorf("query %d: %v", at, err)
			}
			continue
		}
		if over { // she is somebody new
			continue
		}
		if !strings.Contains(out, "waits until") {
			t.Errorf("query %d: it is done, with her request open: %s", at, out)
		}
		e.close(asked.ID)
		if out, err := e.local("erase", "-pending"); err != nil || out != "" {
			t.Errorf("query %d: %v\n%s", at, err, out)
		}
		if left := e.named(); len(left) > 0 {
			t.Errorf("query %d: left are %q", at, left)
		}
	}
}
