package slacksim

import (
	"context"
	"os"
	"path/filepath"
	"testing"
)

func TestSnapshot(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "slack.json")
	a := newApp(t)
	if err := a.sim.Restore(path); err != nil {
		t.Errorf("a missing file: %v", err)
	}
	want(t, a.call("chat.postMessage", `{"channel":"U0BOB","text":"one","blocks":[{"type":"divider"}]}`), "")
	if err := a.sim.Snapshot(path); err != nil {
		t.Fatal(err)
	}

	b := newApp(t, func(c *Config) { c.Channels = append(DefaultChannels(), Channel{Name: "fresh", App: true}) })
	if err := b.sim.Restore(path); err != nil {
		t.Fatal(err)
	}
	if got := b.sim.As("bob").Inbox(); got != a.sim.As("bob").Inbox() || got == "" {
		t.Errorf("inbox =\n%s", got)
	}
	want(t, b.call("chat.postMessage", `{"channel":"#fresh","text":"x"}`), "")
	want(t, b.call("chat.postMessage", `{"channel":"U0BOB","text":"two"}`), "")
	messages := b.sim.Messages("D0BOB")
	if len(messages) != 2 || messages[0].TS >= messages[1].TS {
		t.Errorf("time stamps do not go on: %+v", messages)
	}
	want(t, b.call("chat.update", `{"channel":"D0BOB","ts":"`+messages[0].TS+`","text":"edited"}`), "")

	if err := os.WriteFile(path, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	mustFail(t, b.sim.Restore(path), path)
	if n := len(b.sim.Messages("D0BOB")); n != 2 {
		t.Errorf("a bad file changed the workspace: %d messages", n)
	}
}

func TestAutosave(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "slack.json")
	a := newApp(t)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- a.sim.Autosave(ctx, path) }()
	want(t, a.call("chat.postMessage", `{"channel":"U0BOB","text":"kept"}`), "")
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	b := newApp(t)
	if err := b.sim.Restore(path); err != nil {
		t.Fatal(err)
	}
	if got := b.sim.As("bob").Inbox(); got != "Sym: kept\n" {
		t.Errorf("inbox =\n%s", got)
	}
	left, err := filepath.Glob(filepath.Join(filepath.Dir(path), ".slack-*"))
	if err != nil || len(left) > 0 {
		t.Errorf("temporary files are left: %v %v", left, err)
	}
}
