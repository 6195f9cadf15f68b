package storetest_test

import (
	"testing"
	"time"

	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/store/storetest"
)

func TestMemory(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(_ testing.TB, now func() time.Time) store.Store {
		return &storetest.Memory{Now: now}
	})
}
