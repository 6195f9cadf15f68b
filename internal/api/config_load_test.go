package api_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/symflows/symflows/internal/entity"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/store/storetest"
)

// make creates an entity, and gives its id.
func (c *configServer) make(collection, body string) string {
	c.Helper()
	status, answer := c.send("POST", "/entities/"+collection, body)
	if status != http.StatusOK {
		c.Fatalf("POST %s %s: %d %s", collection, body, status, answer)
	}
	return read(c, answer)["id"].(string)
}

func read(t testing.TB, text string) map[string]any {
	t.Helper()
	var v map[string]any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return v
}

// atOnce does something so many times, ten at once, as Terraform does.
func atOnce(n int, do func(i int)) {
	var wg sync.WaitGroup
	free := make(chan struct{}, 10)
	for i := range n {
		free <- struct{}{}
		wg.Go(func() {
			do(i)
			<-free
		})
	}
	wg.Wait()
}

// TestConfig_TenAtOnce: what is sent at once is kept, each with an id of its own, and
// read back as it was sent.
func TestConfig_TenAtOnce(t *testing.T) {
	t.Parallel()
	for kind, open := range configStores {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			c := configure(t, open(t))
			ids := make([]string, 60)
			atOnce(len(ids), func(i int) {
				// Three of each name, of two types.
				status, answer := c.send("POST", "/entities/access-targets", fmt.Sprintf(`{"type":"type-%d","slug":"t%d","label":"%d","settings":{}}`, i%2, i/3, i))
				if status != http.StatusOK {
					t.Errorf("%d %s", status, answer)
					return
				}
				ids[i] = read(t, answer)["id"].(string)
			})
			if distinct := slices.Compact(slices.Sorted(slices.Values(ids))); len(distinct) != len(ids) {
				t.Errorf("%d ids for %d targets", len(distinct), len(ids))
			}
			for name := range len(ids) / 3 {
				if !slices.Contains(ids, flow.TargetID("acme", fmt.Sprintf("t%d", name))) {
					t.Errorf("no target t%d has the id that handlers see", name)
				}
			}
			atOnce(len(ids), func(i int) {
				if _, answer := c.send("GET", "/entities/access-targets/"+ids[i], ""); read(t, answer)["label"] != fmt.Sprint(i) {
					t.Errorf("%d is %s", i, answer)
				}
			})
		})
	}
}

// TestConfig_TwoApplies: of two that write one entity at once, what is there in the end
// is what one of them sent, whole, and each write is recorded once.
func TestConfig_TwoApplies(t *testing.T) {
	t.Parallel()
	for kind, open := range configStores {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			c := configure(t, open(t))
			id := c.make("access-targets", `{"type":"custom","slug":"t","settings":{}}`)
			sent := func(i int) string {
				return fmt.Sprintf(`{"id":%q,"type":"custom","slug":"t%d","label":"%[2]d","settings":{"a":"%[2]d","k%[2]d":"x"}}`, id, i)
			}
			atOnce(20, func(i int) {
				if status, answer := c.send("PATCH", "/entities/access-targets/"+id, sent(i)); status != http.StatusOK {
					t.Errorf("%d %s", status, answer)
				}
			})
			_, answer := c.send("GET", "/entities/access-targets/"+id, "")
			got, whole := read(t, answer), false
			for i := range 20 {
				whole = whole || cmp.Equal(got, read(t, sent(i)))
			}
			if !whole {
				t.Errorf("nobody sent %s", answer)
			}
			e, err := store.Entities{Store: c.store, Org: "acme", Now: time.Now}.Get(t.Context(), entity.KindTarget, id)
			if err != nil || e.Rev != 21 {
				t.Errorf("%d writes, %v", e.Rev, err)
			}
		})
	}
}

// TestConfig_Interrupted: each write of an apply may be the last that its server does,
// or the one whose answer is lost. The next apply, which knows the ids that were
// answered only, leads to what the first would have led to.
func TestConfig_Interrupted(t *testing.T) {
	t.Parallel()
	for kind, open := range configStores {
		for _, fault := range []storetest.Fault{storetest.NotApplied, storetest.AnswerLost} {
			t.Run(fmt.Sprintf("%s/%d", kind, fault), func(t *testing.T) {
				t.Parallel()
				for at, writes := 0, 1; at <= writes; at++ {
					breaks := 0 // the write that breaks down; 0: none does
					s := &storetest.Faulty{Store: open(t)}
					s.Fault = func(n int) storetest.Fault {
						if n == breaks {
							return fault
						}
						return storetest.None
					}
					a := &apply{configServer: configure(t, s), ids: map[string]string{}, changed: map[string]bool{}}
					before := s.Writes()
					if at == 0 { // for once it is not interrupted, and its writes are counted
						if !a.run() {
							t.Fatal("the apply does not succeed")
						}
						writes = s.Writes() - before
						continue
					}
					breaks = before + at
					if a.run() {
						t.Fatalf("write %d: the apply was not interrupted", at)
					}
					if !a.run() {
						t.Fatalf("write %d: the next apply does not succeed", at)
					}
				}
			})
		}
	}
}

// apply is one of Terraform's that makes, changes and deletes, and what its state knows.
type apply struct {
	*configServer
	ids     map[string]string // that were answered
	changed map[string]bool   // what has succeeded
}

// run does what is still to be done, up to the first failure, and tells whether all was
// done; then that is looked at.
func (a *apply) run() bool {
	a.Helper()
	step := func(what, method, path, body string) bool {
		if a.changed[what] {
			return true
		}
		status, answer := a.send(method, "/entities/"+path, body)
		if status == http.StatusOK && method == "POST" {
			a.ids[read(a, body)["slug"].(string)] = read(a, answer)["id"].(string)
		}
		a.changed[what] = status < http.StatusMultipleChoices
		if !a.changed[what] && status < http.StatusInternalServerError {
			a.Fatalf("%s: %d %s", what, status, answer)
		}
		return a.changed[what]
	}
	main := func() string { return fmt.Sprintf(`{"slug":"main","runtime_id":%q,"integrations":{}}`, a.ids["a"]) }
	for _, next := range []func() bool{
		func() bool { return step("make a", "POST", "runtimes", `{"slug":"a"}`) },
		func() bool { return step("make b", "POST", "runtimes", `{"slug":"b"}`) },
		func() bool { return step("make main", "POST", "environments", main()) },
		func() bool {
			return step("change a", "PATCH", "runtimes/"+a.ids["a"], `{"slug":"renamed","label":"New"}`)
		},
		func() bool { return step("delete main", "DELETE", "environments/"+a.ids["main"], "") },
		func() bool { return step("make main again", "POST", "environments", main()) },
	} {
		if !next() {
			return false
		}
	}
	for path, want := range map[string]map[string]any{
		"environments?slug=main": {"id": a.ids["main"], "slug": "main", "runtime_id": a.ids["a"], "integrations": map[string]any{}},
		"runtimes?slug=renamed":  {"id": a.ids["a"], "slug": "renamed", "label": "New"},
	} {
		status, answer := a.send("GET", "/entities/"+path, "")
		var list []map[string]any
		if err := json.Unmarshal([]byte(answer), &list); status != http.StatusOK || err != nil || len(list) != 1 || !cmp.Equal(list[0], want) {
			a.Errorf("%s: %d %s, %v, want %v", path, status, answer, err, want)
		}
	}
	return true
}

// TestConfig_AnswerLost: a request whose answer was lost has taken effect. The next apply
// sends it anew, under an id of its own: what it creates takes the name over, and what it
// changes or deletes is so already. Whoever sends the very same request again is answered
// as if it had come once.
func TestConfig_AnswerLost(t *testing.T) {
	t.Parallel()
	for kind, open := range configStores {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			c := configure(t, open(t))
			lost := func(method, path, body, request string) {
				t.Helper()
				c.losing.Store(true)
				if status, answer, err := c.try(method, path, body, request); err == nil {
					t.Fatalf("answered %d %s", status, answer)
				}
				c.losing.Store(false)
			}
			ask := func(method, path, body, request string, want int) string {
				t.Helper()
				status, answer, err := c.try(method, path, body, request)
				if err != nil || status != want {
					t.Fatalf("%s %s: %d %s, %v, want %d", method, path, status, answer, err, want)
				}
				if want == http.StatusNoContent || answer[0] == '[' {
					return answer
				}
				id, _ := read(t, answer)["id"].(string)
				return id
			}
			const body, first = `{"slug":"main"}`, "4a1c6de4-6f0d-4c4f-8a5b-0a4c9e6a7f01"
			lost("POST", "/entities/runtimes", body, first)
			kept := ask("POST", "/entities/runtimes", body, first, 200)
			if id := flow.EntityID("acme", "runtime", "main", ""); kept != id {
				t.Errorf("the request that came twice made %s, want %s", kept, id)
			}
			anew := ask("POST", "/entities/runtimes", body, uuid.NewString(), 200)
			if anew == kept {
				t.Error("another request was given the id of the first")
			}
			if found := ask("GET", "/entities/runtimes?slug=main", "", uuid.NewString(), 200); !strings.Contains(found, anew) || strings.Contains(found, kept) {
				t.Errorf("look-up finds %s, want %s", found, anew)
			}
			lost("PATCH", "/entities/runtimes/"+anew, `{"slug":"main","label":"L"}`, uuid.NewString())
			ask("PATCH", "/entities/runtimes/"+anew, `{"slug":"main","label":"L"}`, uuid.NewString(), 200)
			lost("DELETE", "/entities/runtimes/"+anew, "", uuid.NewString())
			ask("DELETE", "/entities/runtimes/"+anew, "", uuid.NewString(), 204)
			ask("GET", "/entities/runtimes/"+anew, "", uuid.NewString(), 404)
		})
	}
}

// TestConfig_Hostile: what no provider sends is refused, and nothing of it is kept.
func TestConfig_Hostile(t *testing.T) {
	t.Parallel()
	for kind, open := range configStores {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			hostile(t, configure(t, open(t)))
		})
	}
}

func hostile(t *testing.T, c *configServer) {
	deep := strings.Repeat(`{"a":`, 200) + "1" + strings.Repeat("}", 200)
	for name, body := range map[string]string{
		"nothing":            " ",
		"null":               "null",
		"a list":             "[]",
		"a number":           "7",
		"half an object":     `{"slug":"a"`,
		"two objects":        `{"slug":"a"}{"slug":"b"}`,
		"a key twice":        `{"slug":"a","slug":"b"}`,
		"a key twice inside": `{"slug":"a","type":"custom","settings":{"a":"1","a":"2"}}`,
		"depth":              `{"slug":"a","type":"custom","settings":` + deep + `}`,
		"no UTF-8":           "{\"slug\":\"a\xff\"}",
		"size":               `{"slug":"a","label":"` + strings.Repeat("x", 5<<20) + `"}`,
		"an item too large":  `{"slug":"a","type":"custom","settings":{"a":"` + noise(1200<<10) + `"}}`,
		"a secret":           `{"slug":"a","type":"custom","settings":{"a":"xoxb-1234567890-abcdefgh"}}`,
		"no text":            `{"slug":{"a":1},"type":["custom"],"settings":7}`,
		"a long name":        `{"slug":"` + strings.Repeat("a", 200) + `","type":"custom","settings":{}}`,
		"a name of others":   `{"slug":"a#b/c","type":"custom","settings":{}}`,
		"zeros":              `{"slug":"a\u0000b","type":"custom","settings":{}}`,
	} {
		if name == "nothing" {
			body = "\n"
		}
		status, answer := c.send("POST", "/entities/access-targets", body)
		if errors, _ := read(t, answer)["errors"].([]any); status != http.StatusBadRequest || len(errors) == 0 {
			t.Errorf("%s: %d %.300s", name, status, answer)
		}
		if strings.Contains(answer, "xoxb-") {
			t.Errorf("%s: the answer has the secret: %s", name, answer)
		}
	}
	if status, answer := c.send("GET", "/entities/access-targets", ""); status != http.StatusOK || answer != "[]" {
		t.Errorf("something was kept: %d %.300s", status, answer)
	}
	for path, want := range map[string]int{
		"/entities/access-targets?slug=%zz": 400, "/entities/access-targets?name=a": 400, "/entities/access-targets/..%2f..%2ftokens": 404,
		"/entities/": 404, "/entities/flows/a/b": 404, "/entities/access-targets?slug=" + strings.Repeat("a", 3000): 200,
	} {
		if status, answer := c.send("GET", path, ""); status != want {
			t.Errorf("%s: %d %.300s, want %d", path, status, answer, want)
		}
	}
	for _, method := range []string{"PUT", "OPTIONS"} {
		if status, _ := c.send(method, "/entities/access-targets", "{}"); status != http.StatusMethodNotAllowed {
			t.Errorf("%s: %d", method, status)
		}
	}
}

// noise is text that does not get shorter when it is compressed.
func noise(n int) string {
	var b strings.Builder
	for i := 0; b.Len() < n; i++ {
		b.WriteString(flow.EntityID("acme", "noise", fmt.Sprint(i), ""))
	}
	return b.String()
}

// TestConfig_Who: nobody configures without a token that may, and one that is revoked
// is refused at once.
func TestConfig_Who(t *testing.T) {
	t.Parallel()
	for kind, open := range configStores {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			who(t, configure(t, open(t)))
		})
	}
}

func who(t *testing.T, c *configServer) {
	mine := c.token
	other, _, err := c.tokens.Create(t.Context(), flow.Operator, store.Token{Bot: "ci", Owner: "carol@example.com"}, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	for token, want := range map[string]int{mine: 200, other: 403, "": 401, "x": 401} {
		c.token = token
		for _, request := range [][2]string{{"GET", "/entities/flows"}, {"POST", "/entities/runtimes"}} {
			status, answer := c.send(request[0], request[1], `{"slug":"main"}`)
			if status != want {
				t.Errorf("%v with %q: %d %s", request, token, status, answer)
			}
		}
	}
	c.token = mine
	if status, _ := c.send("GET", "/signed/entities/flows", ""); status != http.StatusUnauthorized {
		t.Errorf("the path of AWS principals takes a token: %d", status)
	}
	list, err := c.tokens.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, token := range list {
		if err := c.tokens.Revoke(t.Context(), flow.Operator, token.ID); err != nil {
			t.Fatal(err)
		}
	}
	if status, _ := c.send("GET", "/entities/flows", ""); status != http.StatusUnauthorized {
		t.Errorf("a token that is revoked: %d", status)
	}
}
