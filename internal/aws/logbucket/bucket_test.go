package logbucket_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/symflows/symflows/events"
	"github.com/symflows/symflows/internal/aws/awstest"
	"github.com/symflows/symflows/internal/aws/logbucket"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/store/storetest"
	"github.com/symflows/symflows/internal/transparency"
	"github.com/symflows/symflows/internal/transparency/stranger"
)

// service is S3 with one bucket, addressed by path, which keeps to conditions of
// writes; its listings have three entries a page.
type service struct {
	t       *testing.T
	mu      sync.Mutex
	objects map[string]string
	denied  bool
	raced   int // so many writes lose to another one at the same time
}

func tag(text string) string {
	return fmt.Sprintf("%q", fmt.Sprintf("%x", sha256.Sum256([]byte(text))))
}

func (s *service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	bucket, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	if bucket != "log" {
		s.t.Errorf("%s %s", r.Method, r.URL)
	}
	refuse := func(status int, code string) {
		w.WriteHeader(status)
		fmt.Fprintf(w, `<Error><Code>%s</Code><Message>No.</Message></Error>`, code)
	}
	old, there := s.objects[key]
	switch {
	case s.denied:
		refuse(http.StatusForbidden, "AccessDenied")
	case r.Method == http.MethodGet && key == "":
		s.list(w, r)
	case r.Method == http.MethodGet && there:
		w.Header().Set("ETag", tag(old))
		fmt.Fprint(w, old)
	case r.Method == http.MethodPut:
		body, err := io.ReadAll(r.Body)
		if err != nil {
			s.t.Error(err)
		}
		sum := sha256.Sum256(body)
		if got := r.Header.Get("X-Amz-Checksum-Sha256"); got != base64.StdEncoding.EncodeToString(sum[:]) {
			s.t.Errorf("%s has the checksum %q: Object Lock asks for one", key, got)
		}
		match := r.Header.Get("If-Match")
		switch {
		case s.raced > 0:
			s.raced--
			refuse(http.StatusConflict, "ConditionalRequestConflict")
		case r.Header.Get("If-None-Match") == "*" && there, match != "" && there && match != tag(old):
			refuse(http.StatusPreconditionFailed, "PreconditionFailed")
		case match != "" && !there:
			refuse(http.StatusNotFound, "NoSuchKey")
		case match == "" && r.Header.Get("If-None-Match") == "":
			s.t.Errorf("%s is written without a condition", key)
		default:
			s.objects[key] = string(body)
			w.Header().Set("ETag", tag(string(body)))
		}
	default:
		refuse(http.StatusNotFound, "NoSuchKey")
	}
}

func (s *service) list(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	type object struct {
		Key  string
		Size int
	}
	type prefix struct{ Prefix string }
	var out struct {
		XMLName               xml.Name `xml:"ListBucketResult"`
		IsTruncated           bool
		NextContinuationToken string   `xml:",omitempty"`
		Contents              []object `xml:",omitempty"`
		CommonPrefixes        []prefix `xml:",omitempty"`
	}
	last := ""
	for _, key := range slices.Sorted(maps.Keys(s.objects)) {
		rest, ok := strings.CutPrefix(key, q.Get("prefix"))
		if !ok {
			continue
		}
		dir, _, inside := strings.Cut(rest, "/")
		name := q.Get("prefix") + dir
		if inside {
			name += "/"
		}
		if name <= q.Get("continuation-token") || name == last {
			continue
		}
		if len(out.Contents)+len(out.CommonPrefixes) == 3 {
			out.IsTruncated, out.NextContinuationToken = true, last
			break
		}
		if last = name; inside {
			out.CommonPrefixes = append(out.CommonPrefixes, prefix{name})
		} else {
			out.Contents = append(out.Contents, object{name, len(s.objects[key])})
		}
	}
	if err := xml.NewEncoder(w).Encode(out); err != nil {
		s.t.Error(err)
	}
}

func open(t *testing.T, s *service) logbucket.Bucket {
	t.Helper()
	s.t = t
	if s.objects == nil {
		s.objects = map[string]string{}
	}
	api := s3.NewFromConfig(awstest.Config(t, s), func(o *s3.Options) { o.UsePathStyle, o.RetryMaxAttempts = true, 1 })
	return logbucket.Bucket{API: api, Name: "log", Prefix: "audit-log/"}
}

func TestParse(t *testing.T) {
	t.Parallel()
	for url, want := range map[string][3]string{
		"s3://b": {"b", "", "true"}, "s3://b/": {"b", "", "true"}, "s3://b/x/y": {"b", "x/y/", "true"},
		"s3://": {"", "", "false"}, ".local": {"", "", "false"},
	} {
		name, prefix, ok := logbucket.Parse(url)
		if got := [3]string{name, prefix, fmt.Sprint(ok)}; got != want && !(want[2] == "false" && !ok) {
			t.Errorf("%s: %q, want %q", url, got, want)
		}
	}
}

func TestBucket(t *testing.T) {
	t.Parallel()
	s := &service{}
	b := open(t, s)
	if _, err := b.Read(t.Context(), "tile/0/000"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("what is not there: %v", err)
	}
	for _, text := range []string{"first", "again"} {
		if err := b.Write(t.Context(), "tile/0/000", []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	if data, err := b.Read(t.Context(), "tile/0/000"); string(data) != "first" || err != nil {
		t.Errorf("%q, %v: what is there stays", data, err)
	}
	if text, tag, err := b.Checkpoint(t.Context()); text != nil || tag != "" || err != nil {
		t.Errorf("no checkpoint yet: %q %q %v", text, tag, err)
	}
	if err := b.SetCheckpoint(t.Context(), []byte("1"), "\"gone\""); !errors.Is(err, transparency.ErrChanged) {
		t.Errorf("one that is gone: %v", err)
	}
	if err := b.SetCheckpoint(t.Context(), []byte("1"), ""); err != nil {
		t.Fatal(err)
	}
	if err := b.SetCheckpoint(t.Context(), []byte("2"), ""); !errors.Is(err, transparency.ErrChanged) {
		t.Errorf("a second first one: %v", err)
	}
	_, now, err := b.Checkpoint(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	s.raced = 1
	if err := b.SetCheckpoint(t.Context(), []byte("2"), now); !errors.Is(err, transparency.ErrChanged) {
		t.Errorf("at the same time: %v", err)
	}
	if err := b.SetCheckpoint(t.Context(), []byte("2"), now); err != nil {
		t.Error(err)
	}
	s.denied = true
	if _, err := b.Read(t.Context(), "tile/0/000"); flow.CodeOf(err) != flow.CodeUnavailable || strings.Contains(flow.UserMessage(err), "AccessDenied") {
		t.Errorf("got %v", err)
	}
	if err := b.Write(t.Context(), "tile/0/001", nil); flow.CodeOf(err) != flow.CodeUnavailable {
		t.Errorf("got %v", err)
	}
}

// A whole log in a bucket, read by us and by a stranger.
func TestBucket_Log(t *testing.T) {
	t.Parallel()
	b := open(t, &service{})
	key, err := transparency.NewKey(rand.Reader, "audit.example.com/acme")
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	lines := linesOf{}
	w := transparency.Writer{
		Log: store.Log{Store: &storetest.Memory{Now: time.Now}}, Files: b, Keys: []transparency.Key{key}, Next: lines,
		Now: func() time.Time { return now },
	}
	for n := 0; n < 600; n += 60 {
		var records []events.AuditRecord
		for i := range 60 {
			records = append(records, events.AuditRecord{ID: fmt.Sprint("record-", n+i), Type: "event"})
		}
		if err := w.Write(t.Context(), records); err != nil {
			t.Fatal(err)
		}
		now = now.Add(20 * time.Minute)
		if err := w.Beat(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if leaves, _, err := stranger.Verify(b.FS(t.Context()), key.Public()); err != nil || len(leaves) != 600 {
		t.Errorf("%d leaves, %v", len(leaves), err)
	}
	r, err := transparency.Verification{Log: b.FS(t.Context()), Public: []string{key.Public()}, Lines: []fs.FS{fstest.MapFS(lines)}, Now: now}.Run(t.Context())
	if err != nil || r.Found != 0 || r.Records != 600 || r.Lines != 600 || r.Kept != 4 {
		t.Errorf("%+v, %v", r, err)
	}
}

type linesOf fstest.MapFS

func (l linesOf) WriteLines(_ context.Context, lines [][]byte) error {
	l[fmt.Sprintf("%05d.jsonl", len(l))] = &fstest.MapFile{Data: append(bytes.Join(lines, []byte("\n")), '\n')}
	return nil
}
