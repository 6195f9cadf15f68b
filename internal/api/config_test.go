package api_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/symflows/symflows/internal/api"
	"github.com/symflows/symflows/internal/catalog"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/store/dynamo"
	"github.com/symflows/symflows/internal/store/dynamo/dynamotest"
	"github.com/symflows/symflows/internal/store/sqlite"
	"github.com/symflows/symflows/internal/strategy/builtin"
	"github.com/symflows/symflows/internal/workflow"
)

// configStores are those that configuration is kept in.
var configStores = map[string]func(t testing.TB) store.Store{
	"sqlite": func(t testing.TB) store.Store {
		db, err := sqlite.Open(filepath.Join(t.TempDir(), "sym.db"), time.Now)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { db.Close() })
		return db
	},
	"dynamo": func(t testing.TB) store.Store {
		return dynamo.New(dynamotest.Start(t).Config(), dynamotest.TableName, time.Now)
	},
}

// configServer is the configuration API, and a token for it.
type configServer struct {
	testing.TB
	*httptest.Server
	store  store.Store
	tokens store.Tokens
	token  string
	losing atomic.Bool // does what it is asked, and does not answer
}

// configure serves the configuration API on a store.
func configure(t testing.TB, s store.Store) *configServer {
	t.Helper()
	c := &configServer{TB: t, store: s, tokens: store.Tokens{Store: s, Org: "acme", Now: time.Now}}
	var err error
	c.token, _, err = c.tokens.Create(t.Context(), flow.Operator, store.Token{Bot: "terraform", Owner: "carol@example.com", Config: true}, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	a := &api.ConfigAPI{
		Configure: workflow.Configure{
			Entities: store.Entities{Store: s, Org: "acme", Now: time.Now},
			Check:    catalog.Checker{Org: "acme", Types: builtin.Types(), Describe: describe}.Check,
		},
		Tokens: c.tokens, Now: time.Now, Log: slog.New(slog.DiscardHandler),
	}
	served := a.Handler()
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c.losing.Load() {
			served.ServeHTTP(httptest.NewRecorder(), r)
			panic(http.ErrAbortHandler)
		}
		served.ServeHTTP(w, r)
	}))
	t.Cleanup(c.Close)
	return c
}

// describe stands for the function that looks at Python: it knows def, and classes of
// strategies, and nothing else.
func describe(_ context.Context, s flow.Source, _ string) (flow.Outline, error) {
	if strings.Contains(s.Text, "def (") {
		return flow.Outline{}, &flow.SourceError{Line: 1, Message: "invalid syntax"}
	}
	var found flow.Outline
	for _, def := range regexp.MustCompile(`def (\w+)`).FindAllStringSubmatch(s.Text, -1) {
		found.Handlers = append(found.Handlers, def[1])
	}
	for _, class := range regexp.MustCompile(`class (\w+)\(AccessStrategy\)`).FindAllStringSubmatch(s.Text, -1) {
		found.Handlers = append(found.Handlers, flow.StrategyClass+class[1])
	}
	return found, nil
}

// send sends a request as the provider does: with a body, if only null, and with an id.
func (c *configServer) send(method, path, body string) (int, string) {
	c.Helper()
	status, answer, err := c.try(method, path, body, uuid.NewString())
	if err != nil {
		c.Fatal(err)
	}
	return status, answer
}

// try is send of a request that may be lost, and that has an id.
func (c *configServer) try(method, path, body, request string) (int, string, error) {
	c.Helper()
	if body == "" {
		body = "null"
	}
	r, err := http.NewRequestWithContext(c.Context(), method, c.URL+"/api/v1"+path, strings.NewReader(body))
	if err != nil {
		c.Fatal(err)
	}
	r.GetBody = nil // so that it is sent once
	r.Header.Set("Authorization", "Bearer "+c.token)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-Sym-Request-ID", request)
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, "", err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	return answer.StatusCode, strings.TrimSpace(string(text)), err
}

// script is requests and the answers to them:
//
//	POST /entities/runtimes
//	{"slug": "main"}
//	-> 200 {"id": "$runtime", "slug": "main"}
//
// A "$name" of an answer is whatever stands there, and stands for that from then on. An
// object with "…" may have more attributes. A body or an answer may go over several lines.
type script struct {
	*configServer
	known map[string]string
}

var variable = regexp.MustCompile(`\$[a-z_0-9]+`)

func (s *script) run(text string) {
	s.Helper()
	var method, path, body string
	var expected []string
	first := 0
	ask := func() {
		if method == "" {
			return
		}
		status, answer := s.send(method, s.filled(path), s.filled(body))
		want := strings.TrimSpace(strings.Join(expected, "\n"))
		code, pattern, _ := strings.Cut(want, " ")
		if fmt.Sprint(status) != code {
			s.Fatalf("line %d: %s %s: status %d %s, want %s", first, method, path, status, answer, want)
		}
		if pattern = strings.TrimSpace(pattern); pattern != "" {
			s.match(first, answer, pattern)
		}
		method, body, expected = "", "", nil
	}
	for i, line := range strings.Split(text, "\n") {
		verb, rest, _ := strings.Cut(line, " ")
		switch {
		case strings.HasPrefix(line, "#") || strings.TrimSpace(line) == "":
			ask()
		case verb == "GET" || verb == "POST" || verb == "PATCH" || verb == "DELETE":
			ask()
			method, path, first = verb, rest, i+1
		case verb == "->":
			expected = []string{rest}
		case expected != nil:
			expected = append(expected, line)
		default:
			body += line + "\n"
		}
	}
	ask()
}

// filled puts what is known into a text.
func (s *script) filled(text string) string {
	return variable.ReplaceAllStringFunc(text, func(name string) string {
		if value, ok := s.known[name]; ok {
			text, err := json.Marshal(value)
			if err != nil {
				s.Fatal(err)
			}
			return string(text[1 : len(text)-1])
		}
		return name
	})
}

func (s *script) match(line int, answer, pattern string) {
	s.Helper()
	var got, want any
	if err := json.Unmarshal([]byte(answer), &got); err != nil {
		s.Fatalf("line %d: %v in %s", line, err, answer)
	}
	if err := json.Unmarshal([]byte(s.filled(pattern)), &want); err != nil {
		s.Fatalf("line %d: %v in %s", line, err, pattern)
	}
	s.bind(got, want)
	if err := json.Unmarshal([]byte(s.filled(pattern)), &want); err != nil {
		s.Fatalf("line %d: %v in %s", line, err, pattern)
	}
	got = without(got, want)
	if diff := cmp.Diff(want, got); diff != "" {
		s.Fatalf("line %d: -wanted +answered\n%s\nin %s", line, diff, answer)
	}
}

// bind notes what stands where the pattern has a name.
func (s *script) bind(got, want any) {
	switch want := want.(type) {
	case string:
		if text, ok := got.(string); ok && variable.FindString(want) == want && want != "" {
			s.known[want] = text
		}
	case map[string]any:
		if got, ok := got.(map[string]any); ok {
			for key := range want {
				s.bind(got[key], want[key])
			}
		}
	case []any:
		if got, ok := got.([]any); ok {
			for i := range min(len(got), len(want)) {
				s.bind(got[i], want[i])
			}
		}
	}
}

// without leaves out of an answer what the pattern does not ask for.
func without(got, want any) any {
	switch want := want.(type) {
	case map[string]any:
		got, ok := got.(map[string]any)
		if !ok {
			return got
		}
		_, open := want["…"]
		out := map[string]any{}
		for key, value := range got {
			if _, asked := want[key]; asked || !open {
				out[key] = without(value, want[key])
			}
		}
		if open {
			out["…"] = want["…"]
		}
		return out
	case []any:
		got, ok := got.([]any)
		if !ok || len(got) != len(want) {
			return got
		}
		out := []any{}
		for i := range got {
			out = append(out, without(got[i], want[i]))
		}
		return out
	}
	return got
}

// TestConfig_Broken: what no flows can be made of is listed, with what is wrong; and that
// something is not heeded yet is said, for as long as that is so.
func TestConfig_Broken(t *testing.T) {
	t.Parallel()
	for kind, open := range configStores {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			c := configure(t, open(t))
			s := &script{configServer: c, known: map[string]string{}}
			s.run(`
GET /entities/broken
-> 200 {"broken": [], "pending": false}

POST /entities/environments
{"slug": "main", "integrations": {}}
-> 200 {"id": "$main", "…": 0}

POST /entities/flows
{"slug": "half", "environment_id": "$main", "implementation": "ZGVmIGdldF9hcHByb3ZlcnMoKToKICBwYXNzCg==", "vars": {}, "params": {}}
-> 200 {"…": 0}

DELETE /entities/environments/$main
-> 204

GET /entities/broken
-> 200 {"broken": [], "pending": true}
`)
			now := func() time.Time { return time.Now().Add(time.Hour) } // it is quiet by then
			entities := store.Entities{Store: c.store, Org: "acme", Now: now}
			reader := &catalog.Reader{Org: "acme", Types: builtin.Types(), Describe: func(ctx context.Context, s flow.Source) (flow.Outline, error) { return describe(ctx, s, "") }}
			assemble := workflow.Assemble{
				Entities: entities, Flows: &store.Flows{Store: c.store}, Runs: store.Runs{Store: c.store}, Assembled: store.Assembled{Store: c.store},
				Notices: store.Notices{Store: c.store, Now: now}, Parts: reader.Parts, Rights: builtin.Rights, Now: now, Log: slog.New(slog.DiscardHandler),
			}
			if _, err := assemble.Run(t.Context()); err != nil {
				t.Fatal(err)
			}
			s.run(`
GET /entities/broken
-> 200 {"broken": [{"kind": "flow", "name": "half", "faults": ["$what"], "since": "$since", "ended": true}], "pending": false}

POST /entities/broken
{}
-> 405

GET /entities/broken?slug=half
-> 400
`)
			if what := s.known["$what"]; !strings.Contains(what, `flow "half": environment_id: there is no environment`) {
				t.Errorf("says %q", what)
			}
			other, _, err := c.tokens.Create(t.Context(), flow.Operator, store.Token{Bot: "ci", Owner: "carol@example.com"}, time.Hour)
			if err != nil {
				t.Fatal(err)
			}
			c.token = other
			s.run("GET /entities/broken\n-> 403\n")
		})
	}
}

// TestConfig_Scripts runs the scripts, each on a store of its own, of both kinds.
func TestConfig_Scripts(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(filepath.Join("testdata", "config", "*.txt"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%d scripts, %v", len(files), err)
	}
	for kind, open := range configStores {
		for _, file := range files {
			t.Run(kind+"/"+filepath.Base(file), func(t *testing.T) {
				t.Parallel()
				text, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				s := &script{configServer: configure(t, open(t)), known: map[string]string{"$never": flow.TargetID("acme", "never")}}
				s.run(string(text))
			})
		}
	}
}
