package workflow_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/symflows/symflows/internal/entity"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/store/storetest"
	"github.com/symflows/symflows/internal/workflow"
)

// TestConfigure_Page: a listing is cut where it gets long, and goes on where it was cut.
func TestConfigure_Page(t *testing.T) {
	t.Parallel()
	entities := store.Entities{Store: &storetest.Memory{Now: time.Now}, Org: "sym", Now: time.Now}
	for i := range 5 {
		long := json.RawMessage(fmt.Sprintf(`{"label": %q}`, strings.Repeat("x", 400<<10)))
		if _, err := entities.Create(t.Context(), store.EntityChange{}, entity.Entity{Kind: entity.KindRuntime, Name: fmt.Sprint("r", i), Owner: entity.API, Attributes: long}); err != nil {
			t.Fatal(err)
		}
	}
	seen := map[string]bool{}
	pages := 0
	for after := ""; ; pages++ {
		list, next, err := workflow.Configure{Entities: entities}.Page(t.Context(), after)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range list {
			if seen[e.Name] {
				t.Errorf("%s comes twice", e.Name)
			}
			seen[e.Name] = true
		}
		if after = next; after == "" {
			break
		}
	}
	if len(seen) != 5 || pages != 2 {
		t.Errorf("%d entities, %d pages before the last", len(seen), pages)
	}
}
