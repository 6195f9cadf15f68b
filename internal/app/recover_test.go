package app

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/md5"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/symflows/symflows/events"
	"github.com/symflows/symflows/internal/audit"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/record"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/store/dynamo"
	"github.com/symflows/symflows/internal/store/dynamo/dynamotest"
	"github.com/symflows/symflows/internal/store/storetest"
	"github.com/symflows/symflows/internal/transparency"
)

// buckets is S3 with buckets that are addressed by path, whose listings have two
// entries a page.
type buckets struct {
	t       *testing.T
	mu      sync.Mutex
	objects map[string]string // by bucket/key
	denied  bool
}

func (b *buckets) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b.mu.Lock()
	defer b.mu.Unlock()
	path := strings.TrimPrefix(r.URL.Path, "/")
	bucket, key, _ := strings.Cut(path, "/")
	body, there := b.objects[path]
	switch {
	case b.denied:
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprint(w, `<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>`)
	case r.Method == http.MethodGet && key == "":
		b.list(w, bucket, r)
	case r.Method == http.MethodGet && there:
		w.Header().Set("ETag", fmt.Sprintf(`"%x"`, md5.Sum([]byte(body))))
		fmt.Fprint(w, body)
	case r.Method == http.MethodDelete && there:
		delete(b.objects, path)
		w.WriteHeader(http.StatusNoContent)
	default:
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprint(w, `<Error><Code>NoSuchKey</Code><Message>The specified key does not exist.</Message></Error>`)
	}
}

func (b *buckets) list(w http.ResponseWriter, bucket string, r *http.Request) {
	type object struct{ Key string }
	type folder struct{ Prefix string }
	var out struct {
		XMLName               xml.Name `xml:"ListBucketResult"`
		IsTruncated           bool
		NextContinuationToken string `xml:",omitempty"`
		Contents              []object
		CommonPrefixes        []folder
	}
	query := r.URL.Query()
	last, entries := "", 0
	for _, path := range slices.Sorted(maps.Keys(b.objects)) {
		in, key, _ := strings.Cut(path, "/")
		rest, begins := strings.CutPrefix(key, query.Get("prefix"))
		if in != bucket || !begins {
			continue
		}
		name := key
		if i := strings.Index(rest, "/"); i >= 0 && query.Get("delimiter") == "/" {
			name = query.Get("prefix") + rest[:i+1]
		}
		if name == last || name <= query.Get("continuation-token") {
			continue
		}
		if entries == 2 {
			out.IsTruncated, out.NextContinuationToken = true, last
			break
		}
		if last, entries = name, entries+1; name == key {
			out.Contents = append(out.Contents, object{name})
		} else {
			out.CommonPrefixes = append(out.CommonPrefixes, folder{name})
		}
	}
	if err := xml.NewEncoder(w).Encode(out); err != nil {
		b.t.Error(err)
	}
}

// deployed is what commands find in AWS: a table and buckets. Functions answer what
// their batch holds.
func deployed(t *testing.T) (*buckets, store.Store) {
	t.Helper()
	inAWS(t)
	table := dynamotest.Start(t)
	b := &buckets{t: t, objects: map[string]string{}}
	s3 := httptest.NewServer(b)
	t.Cleanup(s3.Close)
	functions := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer := `{"batchItemFailures":[]}`
		var batch struct{ Records []struct{ EventID string } }
		if err := json.NewDecoder(r.Body).Decode(&batch); err != nil || batch.Records[0].EventID == "fails" {
			answer = `{"batchItemFailures":[{"itemIdentifier":"1"}]}`
		}
		fmt.Fprint(w, answer)
	}))
	t.Cleanup(functions.Close)
	t.Setenv("AWS_ENDPOINT_URL_DYNAMODB", table.URL())
	t.Setenv("AWS_ENDPOINT_URL_S3", s3.URL)
	t.Setenv("AWS_ENDPOINT_URL_LAMBDA", functions.URL)
	return b, dynamo.New(table.Config(), dynamotest.TableName, time.Now)
}

func runLocal(t *testing.T, args ...string) (string, error) {
	t.Helper()
	var out, logs bytes.Buffer
	err := Main(t.Context(), args, os.Getenv, &out, &logs)
	return out.String(), err
}

// actsIn are the administrative acts that a table has, by name and what they are about.
func actsIn(t *testing.T, s store.Store) map[string]flow.Act {
	t.Helper()
	page, err := s.List(t.Context(), store.Query{By: store.ByKind, Value: string(store.KindAct)})
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]flow.Act{}
	for _, item := range page.Items {
		acts, err := store.Acts{Store: s, Now: time.Now}.Of(t.Context(), item.Key, item.Rev)
		if err != nil || len(acts) != 1 {
			t.Fatalf("%s: %+v, %v", item.Key, acts, err)
		}
		if acts[0].By.Kind != flow.PrincipalAWS || !strings.HasPrefix(acts[0].By.Name, "arn:aws:") {
			t.Errorf("%s is by %+v", item.Key, acts[0].By)
		}
		out[string(acts[0].Name)+" "+acts[0].About.Kind] = acts[0]
	}
	return out
}

// live is a run with access that ends in an hour.
func live(t *testing.T) flow.Run {
	t.Helper()
	who := flow.Actor{ID: flow.UserID("acme", "alice@example.com"), Kind: flow.KindPerson, Email: "alice@example.com", Name: "Alice"}
	s := &flow.Strategy{Name: "databases", Type: "http", Targets: []flow.Target{{Name: "orders-db", Type: "http", Settings: map[string]string{"identifier": "orders"}}}}
	f := &flow.Flow{Org: "acme", Name: "prod-access", Version: "1.0.1", Strategy: s, Params: flow.Params{ScheduleDeescalation: true}}
	now := time.Now()
	var r flow.Run
	apply := func(in flow.Input) {
		t.Helper()
		var err error
		if r, err = flow.Apply(r, in, now); err != nil {
			t.Fatal(err)
		}
		r.Rev++
	}
	apply(flow.Start{ID: flow.NewRunID(), Flow: f, Requester: who, Source: flow.ChannelAPI})
	sub := flow.Submission{Fields: map[string]any{"target_id": flow.TargetID("acme", "orders-db"), "duration": int64(3600)}, Target: &s.Targets[0], Duration: time.Hour}
	apply(flow.Receive{Action: flow.ActionRequest, Actor: who, Channel: flow.ChannelAPI, Submission: &sub})
	apply(flow.Route{SignalID: r.Signals[0].ID, Tiers: []flow.Tier{{Channel: "#access"}}, Deciders: flow.Deciders{Members: true, AllowSelfApproval: true, Required: 1}})
	apply(flow.Receive{Action: flow.ActionApprove, Actor: who, Channel: flow.ChannelSlack})
	apply(flow.Decide{SignalID: r.Signals[0].ID})
	apply(flow.Intend{Strategy: *s, Target: s.Targets[0], Identity: who.Email, Entitlements: []flow.Entitlement{{Key: "orders/alice"}}})
	apply(flow.Attempted{Step: flow.EventEscalate, Outcomes: []flow.Outcome{{Key: "orders/alice", Done: now, Before: flow.Absent}}})
	return r
}

// loggedIn writes a transparency log into a bucket, and gives its size.
func loggedIn(t *testing.T, b *buckets, bucket string, records ...events.AuditRecord) int64 {
	t.Helper()
	dir := t.TempDir()
	folder := &audit.Folder{Dir: filepath.Join(dir, "log")}
	keys, _, err := folder.Keys(t.Context(), filepath.Join(dir, "key"), "audit.example.com")
	if err != nil {
		t.Fatal(err)
	}
	w := &transparency.Writer{Log: store.Log{Store: &storetest.Memory{Now: time.Now}}, Files: folder, Keys: keys, Now: time.Now, Next: noLines{}}
	if err := w.Write(t.Context(), records); err != nil {
		t.Fatal(err)
	}
	files := os.DirFS(folder.Dir)
	if err := fs.WalkDir(files, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := fs.ReadFile(files, name)
		b.objects[bucket+"/"+name] = string(text)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return int64(len(records))
}

type noLines struct{}

func (noLines) WriteLines(context.Context, [][]byte) error { return nil }

// TestRecover_AWS recovers a table of DynamoDB from a bucket of S3, with this shell's
// credentials.
func TestRecover_AWS(t *testing.T) {
	b, table := deployed(t)
	r := live(t)
	var file bytes.Buffer
	z := gzip.NewWriter(&file)
	for _, e := range r.Events {
		if err := json.NewEncoder(z).Encode(record.Of(r, e)); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	b.objects["records/audit/year=2026/month=03/day=02/hour=09/sym-flows-1-2026-03-02-09-00-00.jsonl.gz"] = file.String()
	b.objects["records/audit/year=2026/month=03/day=02/hour=08/older.jsonl.gz"] = "this is not read"
	b.objects["records/audit-errors/year=2026/month=03/day=02/hour=09/failed.jsonl.gz"] = "nor is this"
	signed := loggedIn(t, b, "log", record.Of(r, r.Events[0]))
	args := []string{"recover", "-table", dynamotest.TableName, "-since", "2026-03-02T09:40:00Z", "-audit", "s3://records/audit", "-log", "s3://log"}
	out, err := runLocal(t, args...)
	if err != nil || !strings.Contains(out, "\n1 put back\n") || !strings.Contains(out, r.ID) {
		t.Fatalf("%v\n%s", err, out)
	}
	got, err := store.Runs{Store: table}.Get(t.Context(), r.ID)
	if ends, ok := got.ActsAt(); err != nil || got.Status != flow.Escalated || !ok || !ends.Equal(r.Access.End) || got.Due.After(ends) {
		t.Errorf("%s until %s, looked at by %s: %v", got.Status, ends, got.Due, err)
	}
	g, err := store.Grants{Store: table}.Get(t.Context(), "orders/alice")
	if err != nil || g.State != flow.GrantPresent || !g.Ours() || len(g.Holders) != 1 || g.Holders[0].Run != r.ID {
		t.Errorf("%+v: %v", g, err)
	}
	if head, _, err := (store.Log{Store: table}).Head(t.Context()); err != nil || head.Size != signed {
		t.Errorf("the log goes on from %d, want %d: %v", head.Size, signed, err)
	}
	acts := actsIn(t, table)
	if a := acts["recover table"]; a.About.Name != dynamotest.TableName || a.Result != flow.ActDone {
		t.Errorf("%+v", a)
	}
	if a := acts["recover run"]; a.About.ID != r.ID {
		t.Errorf("%+v", a)
	}
	if out, err = runLocal(t, args...); err != nil || !strings.Contains(out, "\n1 was there\n") {
		t.Errorf("again: %v\n%s", err, out)
	}

	b.denied = true
	if out, err := runLocal(t, args...); err == nil || !strings.Contains(err.Error(), "read the audit log") {
		t.Errorf("a bucket that may not be read: %v\n%s", err, out)
	}
	b.denied = false
	b.objects["records/audit/year=2026/month=03/day=02/hour=10/a.jsonl.gz"] = "no gzip"
	if out, err := runLocal(t, args...); err == nil || !strings.Contains(err.Error(), "hour=10/a.jsonl.gz") {
		t.Errorf("a file that is none of ours: %v\n%s", err, out)
	}
}

// What a command lacks is said before anything is done.
func TestRecover_Flags(t *testing.T) {
	t.Parallel()
	for want, args := range map[string][]string{
		"-since is missing":   {"recover"},
		"or no time":          {"recover", "-since", "yesterday"},
		"-audit is missing":   {"recover", "-since", "2026-03-02", "-table", "sym"},
		"-log is missing":     {"recover", "-since", "2026-03-02", "-table", "sym", "-audit", "s3://records/audit"},
		"there is no folder ": {"recover", "-since", "2026-03-02", "-data", t.TempDir()},
		"takes no argument":   {"recover", "2026-03-02"},
	} {
		if _, err := runLocal(t, args...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", args, err, want)
		}
	}
}

// TestRedrive_Acts: that batches are handed to functions again is on record, by whom
// and with what came of it.
func TestRedrive_Acts(t *testing.T) {
	batch := func(id string) string {
		return `{"requestContext":{"functionArn":"arn:aws:lambda:us-east-1:123456789012:function:sym-flows-relay"},"payload":{"Records":[{"eventID":"` + id + `","eventName":"MODIFY","dynamodb":{"SequenceNumber":"1"}}]}}`
	}
	for name, tc := range map[string]struct {
		objects map[string]string
		denied  bool
		result  flow.ActResult
		handled string
		fails   string
	}{
		"all":     {map[string]string{"letters/aws/lambda/a": batch("a"), "letters/aws/lambda/b": batch("b")}, false, flow.ActDone, "2 of 2", ""},
		"some":    {map[string]string{"letters/aws/lambda/a": batch("a"), "letters/aws/lambda/b": batch("fails")}, false, flow.ActFailed, "1 of 2", "1 batches could not be handled"},
		"refused": {nil, true, flow.ActRefused, "0 of 0", "AccessDenied"},
	} {
		t.Run(name, func(t *testing.T) {
			b, table := deployed(t)
			maps.Copy(b.objects, tc.objects)
			b.denied = tc.denied
			_, err := runLocal(t, "redrive", "-bucket", "letters", "-table", dynamotest.TableName)
			if (err == nil) != (tc.fails == "") || err != nil && !strings.Contains(err.Error(), tc.fails) {
				t.Errorf("error %v, want %q", err, tc.fails)
			}
			a := actsIn(t, table)["redrive bucket"]
			handled, left := a.Fields["handled"], a.Fields["left"]
			if a.About.Name != "letters" || a.Result != tc.result || fmt.Sprintf("%v of %v", handled, sum(handled, left)) != tc.handled {
				t.Errorf("%+v", a)
			}
			if known := record.OfAct(a); known.State.Status != string(tc.result) {
				t.Errorf("recorded as %+v", known)
			}
		})
	}
}

func sum(numbers ...any) (all float64) {
	for _, n := range numbers {
		all += n.(float64)
	}
	return all
}
