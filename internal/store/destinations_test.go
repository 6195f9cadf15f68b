package store_test

import (
	"testing"
	"time"

	"github.com/symflows/symflows/internal/entity"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/store/storetest"
)

// TestDestinations_Owner: whoever sends to a destination knows whose it is, be it published
// before that was looked at.
func TestDestinations_Owner(t *testing.T) {
	t.Parallel()
	d := store.Destinations{Store: &storetest.Memory{Now: func() time.Time { return start }}}
	for owner, name := range map[entity.Owner]string{entity.Files: "lake", entity.API: "siem"} {
		if err := d.Publish(t.Context(), flow.Author{}, owner, []flow.LogDestination{{Name: name, Type: "http"}}, 0); err != nil {
			t.Fatal(err)
		}
	}
	list, err := d.List(t.Context())
	if err != nil || len(list) != 2 || list[0].ByAPI || !list[1].ByAPI {
		t.Errorf("listed are %+v, %v", list, err)
	}
}
