package api_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/symflows/symflows/events"
	"github.com/symflows/symflows/internal/api"
	"github.com/symflows/symflows/internal/catalog"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/strategy/builtin"
	"github.com/symflows/symflows/internal/workflow"
)

// TestConfig_Proposals: where changes need approval, an apply of ten requests at once goes
// through, on both stores: the token reads back what it sent, others nothing of it, and all
// of it is what waits.
func TestConfig_Proposals(t *testing.T) {
	t.Parallel()
	for name, open := range configStores {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := open(t)
			c := &configServer{TB: t, store: s, tokens: store.Tokens{Store: s, Org: "acme", Now: time.Now}}
			token := func(owner string) (string, string) {
				value, token, err := c.tokens.Create(t.Context(), flow.Operator, store.Token{Bot: "terraform", Owner: owner, Config: true}, time.Hour)
				if err != nil {
					t.Fatal(err)
				}
				return value, token.ID
			}
			mine, id := token("carol@example.com")
			theirs, _ := token("bob@example.com")
			entities := store.Entities{Store: s, Org: "acme", Now: time.Now}
			a := &api.ConfigAPI{
				Configure: workflow.Configure{Entities: entities, Approval: "configure", Check: catalog.Checker{Org: "acme", Types: builtin.Types(), Describe: describe}.Check},
				Tokens:    c.tokens, Now: time.Now, Log: slog.New(slog.DiscardHandler),
			}
			c.Server = httptest.NewServer(a.Handler())
			t.Cleanup(c.Close)
			c.token = mine

			const targets = 60
			var ids [targets]string
			var apply sync.WaitGroup
			ten := make(chan struct{}, 10)
			for i := range targets {
				ten <- struct{}{}
				apply.Go(func() {
					defer func() { <-ten }()
					body := fmt.Sprintf(`{"type": "http", "slug": "t%d", "label": "<%d>", "settings": {}}`, i, i)
					status, answer := c.send("POST", "/entities/access-targets", body)
					var created struct{ ID string }
					if err := json.Unmarshal([]byte(answer), &created); status != http.StatusOK || err != nil {
						t.Errorf("POST: %d %s", status, answer)
						return
					}
					ids[i] = created.ID
					body = fmt.Sprintf(`{"type": "http", "slug": "t%d", "label": "<%d> & more", "settings": {}}`, i, i)
					_, sent := c.send("PATCH", "/entities/access-targets/"+created.ID, body)
					if _, read := c.send("GET", "/entities/access-targets/"+created.ID, ""); read != sent {
						t.Errorf("sent %s and read %s", sent, read)
					}
				})
			}
			apply.Wait()
			if t.Failed() {
				return
			}
			count := func(path string) int {
				t.Helper()
				status, answer := c.send("GET", path, "")
				var list []json.RawMessage
				if err := json.Unmarshal([]byte(answer), &list); status != http.StatusOK || err != nil {
					t.Fatalf("%s: %d %s", path, status, answer)
				}
				return len(list)
			}
			if all, one := count("/entities/access-targets"), count("/entities/access-targets?slug=T7&type=http"); all != targets || one != 1 {
				t.Errorf("the token lists %d and finds %d by name", all, one)
			}
			if status, _ := c.send("DELETE", "/entities/access-targets/"+ids[0], ""); status != http.StatusNoContent {
				t.Errorf("DELETE: %d", status)
			}
			if status, _ := c.send("GET", "/entities/access-targets/"+ids[0], ""); status != http.StatusNotFound {
				t.Errorf("GET of what was deleted: %d", status)
			}
			if status, _ := c.send("DELETE", "/entities/access-targets/"+ids[0], ""); status != http.StatusNoContent {
				t.Errorf("DELETE once more: %d", status)
			}
			c.token = theirs
			if all, one := count("/entities/access-targets"), count("/entities/access-targets?slug=t7&type=http"); all != 0 || one != 0 {
				t.Errorf("another token lists %d and finds %d by name", all, one)
			}
			if status, _ := c.send("PATCH", "/entities/access-targets/"+ids[1], `{"type": "http", "slug": "t1", "settings": {}}`); status != http.StatusNotFound {
				t.Errorf("another token's PATCH: %d", status)
			}
			_, answer := c.send("GET", "/entities/proposals", "")
			var waits events.ProposalList
			if err := json.Unmarshal([]byte(answer), &waits); err != nil || len(waits.Proposals) != 1 || len(waits.Proposals[0].Changes) != targets-1 || waits.Proposals[0].Token != id {
				t.Errorf("what waits is %.500s (%v)", answer, err)
			}

			// In force it is the same, for all.
			proposed, err := entities.Proposals().Of(t.Context(), id)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range proposed {
				change := store.AskedChange{Entity: e}
				if applied, err := entities.Apply(t.Context(), store.EntityChange{Run: "run"}, change); err != nil || !applied {
					t.Fatalf("applied %v (%v)", applied, err)
				}
				if err := entities.Proposals().End(t.Context(), store.EntityChange{}, id, e, ""); err != nil {
					t.Fatal(err)
				}
			}
			for _, c.token = range []string{mine, theirs} {
				if all := count("/entities/access-targets"); all != targets-1 {
					t.Errorf("%d targets are in force", all)
				}
			}
			if last, err := entities.Proposals().Last(t.Context(), id); err != nil || !last.IsZero() {
				t.Errorf("something is proposed yet, since %s (%v)", last, err)
			}
		})
	}
}
