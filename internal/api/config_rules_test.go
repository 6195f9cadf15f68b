package api_test

import (
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/symflows/symflows/internal/flow"
)

// heldByTests are rules of what Sym's provider needs that scripts can't say, and the tests
// that hold them.
var heldByTests = map[string]func(*testing.T){
	"1 no method but POST, GET, PATCH and DELETE":                               TestConfig_Hostile,
	"1 GET and DELETE have a body, null":                                        TestConfig_Headers,
	"1 the request id is answered":                                              TestConfig_Headers,
	"1 answers that are compressed are asked for, and need not be":              TestConfig_Headers,
	"1 the token alone says whose configuration it is":                          TestConfig_Who,
	"1 ten requests come at once":                                               TestConfig_TenAtOnce,
	"1 bodies of POST, PATCH and GET are JSON, and that of DELETE is not there": TestConfig_Headers,
	"2 secrets, error loggers and log destinations have names that are derived": TestConfig_Scripts,
	"3 ids are UUIDs, and the first of a name has the one that handlers see":    TestConfig_TenAtOnce,
	"4 a second plan has no differences":                                        TestConfig_Property,
	"6 what failed half-way stays, and the next apply goes on":                  TestConfig_Interrupted,
	"6 what is made in the order of an apply, and deleted the other way round":  TestConfig_Scripts,
	"7 a token that is missing or invalid is 401, and one that may not is 403":  TestConfig_Who,
	"8 every kind is imported by its look-up, and is then as after a refresh":   TestConfig_Property,
	"7 nothing is answered by 405, 422, 429 or 5xx that a person can mend":      TestConfig_Hostile,
}

// rules are those that scripts hold, by section of what was recorded of the provider.
var rules = []string{
	"2 integrations: POST, GET, look-up, PATCH with the id, DELETE",
	"2 runtimes: POST, GET, look-up, PATCH with the id, DELETE",
	"2 secret-sources: POST, GET, look-up, PATCH with the id, DELETE",
	"2 secrets: POST, GET, look-up, PATCH with the id, DELETE",
	"2 error-loggers: POST, GET, look-up, PATCH with the id, DELETE",
	"2 log-destinations: POST, GET, look-up, PATCH with the id, DELETE",
	"2 environments: POST, GET, look-up, PATCH with the id, DELETE",
	"2 access-targets: POST, GET, look-up, PATCH with the id, DELETE",
	"2 access-strategies: POST, GET, look-up, PATCH with the id, DELETE",
	"2 flows: POST, GET, look-up, PATCH with the id, DELETE",
	"2 flows-filter: no id in the path, none in PATCH, 404 if there is none",
	"3 references are ids, in the text of secret_ids_json, too",
	"4 a changed name or type is a PATCH of the same id",
	"4.1 PATCH replaces",
	`4.2 "<null>" is no integration, and is not answered`,
	"4.3 prompt_fields is never null in an answer",
	"4.4 a flow without a params block is taken",
	"4.5 the order of lists is kept",
	"4.6 names are kept as they were written, and compared without case",
	"4.7 null equals absent in settings, vars and integrations, which are answered as texts",
	"4.8 keys that are unknown are refused, by name",
	"4.9 null is taken for label, strategy_id and on_change",
	"4.10 sources are answered as base64",
	"4.11 the answer has what was sent, label included",
	"5 integrations of all published types",
	"5 secrets of one path, told apart by their json_key",
	"5 runtimes and sources of secrets",
	"5 error loggers and log destinations",
	"5 the keys of an environment's integrations are free",
	"5 targets of all published types",
	"5 strategies of all published types",
	"5 flows: every prompt field with its nine keys, and ids in vars",
	"5 allowed_sources [] is by nobody, and absent is all",
	"5 a field target_id may carry allowed_values",
	"5 the flows filter",
	"6 a target is deleted before the strategy drops it",
	"6 a strategy is replaced: DELETE, POST of its slug, PATCH of the flow",
	"6 with create_before_destroy the POST of a slug comes before the DELETE",
	"7 what can be mended is 400 with each field and its message",
	"7 a read of what is gone is 404, so that it is made again",
	"7 a DELETE of what is gone succeeds, and of what never was is 404",
	"8 a look-up that finds none is an empty list",
	"9 flows of provider 2.x: no on_change, visible or include_decision_message",
	"9 flows of provider 1.x: a template, prompt fields without what is empty, prompt_fields answered",
}

// TestConfig_Rules holds each rule of what was recorded of Sym's provider, by the part of a
// script that is headed by it, on stores of both kinds. No rule is without.
func TestConfig_Rules(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(filepath.Join("testdata", "rules", "*.txt"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%d scripts, %v", len(files), err)
	}
	var held []string
	scripts := map[string][]string{} // the parts of each file
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		scripts[file] = strings.Split(string(text), "\n## ")
		for _, part := range scripts[file][1:] {
			rule, _, _ := strings.Cut(part, "\n")
			held = append(held, rule)
		}
	}
	for _, rule := range rules {
		if !slices.Contains(held, rule) {
			t.Errorf("no script holds the rule %q", rule)
		}
	}
	for _, rule := range held {
		if !slices.Contains(rules, rule) || heldByTests[rule] != nil {
			t.Errorf("a script holds %q, which is no rule, or another test's", rule)
		}
	}
	for kind, open := range configStores {
		for _, file := range files {
			t.Run(kind+"/"+filepath.Base(file), func(t *testing.T) {
				t.Parallel()
				s := &script{configServer: configure(t, open(t)), known: map[string]string{"$never": flow.TargetID("acme", "never")}}
				s.run(scripts[file][0])
				for _, part := range scripts[file][1:] {
					rule, text, _ := strings.Cut(part, "\n")
					t.Run(rule, func(t *testing.T) {
						s.TB = t
						s.run(text)
					})
				}
			})
		}
	}
}

// TestConfig_Headers: requests come with the headers and bodies that the provider sends, and
// answers are JSON, plain or with a length, under the id of the request.
func TestConfig_Headers(t *testing.T) {
	t.Parallel()
	for kind, open := range configStores {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			c := configure(t, open(t))
			id := c.make("runtimes", `{"slug":"main"}`)
			for _, request := range [][3]string{
				{"POST", "/entities/runtimes", `{"slug":"other"}`}, {"GET", "/entities/runtimes/" + id, "null"}, {"GET", "/entities/runtimes?slug=main", "null"},
				{"PATCH", "/entities/runtimes/" + id, `{"id":"` + id + `","slug":"main"}`}, {"DELETE", "/entities/runtimes/" + id, "null"},
			} {
				r, err := http.NewRequestWithContext(t.Context(), request[0], c.URL+"/api/v1"+request[1], strings.NewReader(request[2]))
				if err != nil {
					t.Fatal(err)
				}
				own := uuid.NewString()
				for name, value := range map[string]string{
					"Authorization": "Bearer " + c.token, "Content-Type": "application/json", "X-Sym-Request-ID": own, "Accept-Encoding": "gzip", "User-Agent": "Go-http-client/1.1",
				} {
					r.Header.Set(name, value)
				}
				answer, err := http.DefaultTransport.RoundTrip(r)
				if err != nil {
					t.Fatal(err)
				}
				answer.Body.Close()
				if got := answer.Header.Get("X-Sym-Request-ID"); got != own {
					t.Errorf("%s: the request id is %q, want %q", request, got, own)
				}
				typ, encoding := answer.Header.Get("Content-Type"), answer.Header.Get("Content-Encoding")
				want, status := "application/json", http.StatusOK
				if request[0] == "DELETE" {
					want, status = "", http.StatusNoContent
				}
				if answer.StatusCode != status || typ != want || encoding != "" {
					t.Errorf("%s: %s, %q, %q", request, answer.Status, typ, encoding)
				}
			}
		})
	}
}
