package store_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
)

func TestMessages(t *testing.T) {
	t.Parallel()
	s := counted()
	messages := store.Messages{Store: s}
	run := flow.NewRunID()
	want := func(want ...store.Message) {
		t.Helper()
		got, err := messages.Get(t.Context(), strings.ToUpper(run))
		if err != nil {
			t.Fatal(err)
		}
		wantSame(t, "messages", want, got)
	}
	save := func(m store.Message) store.Message {
		t.Helper()
		if err := messages.Save(t.Context(), run, m); err != nil {
			t.Fatal(err)
		}
		return m
	}
	want()
	a := save(store.Message{MessageRef: flow.MessageRef{Key: "request/0", Channel: "C1", TS: "1"}, Digest: "x"})
	b := save(store.Message{MessageRef: flow.MessageRef{Key: "request/0", Channel: "C2", TS: "1"}, Digest: "x"})
	want(a, b)
	a.Digest = "y"
	save(a)
	want(a, b)

	writes := s.Writes()
	save(a)
	if s.Writes() != writes {
		t.Error("saving what is saved wrote again")
	}
}

func TestMessages_Contention(t *testing.T) {
	t.Parallel()
	messages := store.Messages{Store: memory()}
	run := flow.NewRunID()
	const copies = 20
	var all sync.WaitGroup
	for n := range copies {
		all.Go(func() {
			if err := messages.Save(t.Context(), run, store.Message{MessageRef: flow.MessageRef{TS: fmt.Sprint(n)}}); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	got, err := messages.Get(t.Context(), run)
	if err != nil || len(got) != copies {
		t.Errorf("%d messages, %v; want %d", len(got), err, copies)
	}
}

func TestMessages_Faults(t *testing.T) {
	t.Parallel()
	messages := store.Messages{Store: broken()}
	wantFault(t, messages.Save(t.Context(), "run", store.Message{}))
	messages.Store = unreadable{memory()}
	_, err := messages.Get(t.Context(), "run")
	wantFault(t, err)
}
