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
	for _, fault := range []storetest.Fault{storetest.NotApplied, storetest.AnswerLost} {
		for at := range 6 {
			t.Run(fmt.Sprint(fault, at), func(t *testing.T) {
				t.Parallel()
				s := &storetest.Faulty{Store: &storetest.Memory{Now: time.Now}, Fault: func(n int) storetest.Fault {
					if n == at+2 { // the first is that of the token
						return fault
					}
					return storetest.None
				}}
				c := configure(t, s)
				known := map[string]string{}
				apply := func() bool {
					for _, name := range []string{"runtimes a", "runtimes b", "environments main"} {
						collection, slug, _ := strings.Cut(name, " ")
						if known[name] != "" {
							continue
						}
						body := fmt.Sprintf(`{"slug":%q}`, slug)
						if collection == "environments" {
							body = fmt.Sprintf(`{"slug":%q,"runtime_id":%q,"integrations":{}}`, slug, known["runtimes a"])
						}
						status, answer := c.send("POST", "/entities/"+collection, body)
						if status != http.StatusOK {
							return false
						}
						known[name] = read(t, answer)["id"].(string)
					}
					return true
				}
				if apply() {
					t.Fatal("the apply was not interrupted")
				}
				if !apply() {
					t.Fatal("the next apply does not succeed")
				}
				status, answer := c.send("GET", "/entities/environments?slug=main", "")
				var list []map[string]any
				if err := json.Unmarshal([]byte(answer), &list); status != http.StatusOK || err != nil || len(list) != 1 || list[0]["id"] != known["environments main"] || list[0]["runtime_id"] != known["runtimes a"] {
					t.Errorf("%d %s, %v; %v", status, answer, err, known)
				}
			})
		}
	}
}

// TestConfig_Hostile: what no provider sends is refused, and nothing of it is kept.
func TestConfig_Hostile(t *testing.T) {
	t.Parallel()
	c := configure(t, &storetest.Memory{Now: time.Now})
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
	c := configure(t, &storetest.Memory{Now: time.Now})
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

// BenchmarkConfig applies 2,000 targets and a strategy of them, ten at once, and looks
// at all of them again, as a second plan does.
func BenchmarkConfig(b *testing.B) {
	for kind, open := range configStores {
		b.Run(kind, func(b *testing.B) {
			for b.Loop() {
				c := configure(b, open(b))
				ids := make([]string, 2000)
				atOnce(len(ids), func(i int) {
					ids[i] = c.make("access-targets", fmt.Sprintf(`{"type":"http","slug":"t%d","settings":{"identifier":"%[1]d"}}`, i))
				})
				targets, err := json.Marshal(ids)
				if err != nil {
					b.Fatal(err)
				}
				c.make("access-strategies", fmt.Sprintf(`{"type":"http","slug":"s","integration_id":"<null>","targets":%s,"settings":{"url":"https://grants.example.com/sym"}}`, targets))
				atOnce(len(ids), func(i int) { c.send("GET", "/entities/access-targets/"+ids[i], "") })
			}
		})
	}
}
