package app

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/symflows/symflows/internal/app/core"
	"github.com/symflows/symflows/internal/config"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/store/sqlite"
)

// TestToken_Unowned: a token that was made before there were owners is warned of
// by "token list" and "check", until it has one.
func TestToken_Unowned(t *testing.T) {
	t.Parallel()
	data, flows := t.TempDir(), filepath.Join("..", "..", "flows")
	said := func(args ...string) string {
		t.Helper()
		var out strings.Builder
		env := func(string) string { return "" }
		if err := Main(t.Context(), args, env, &out, &out); err != nil {
			t.Fatalf("%s: %v", args, err)
		}
		return out.String()
	}
	if got := said("check", "-flows", flows, "-data", data); strings.Contains(got, "token") {
		t.Errorf("check of no state: %s", got)
	}
	db, err := sqlite.Open(databaseFile(data), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	tokens := store.Tokens{Store: db, Org: config.Settings{}.Org, Now: core.WallClock{}.Now}
	_, made, err := tokens.Create(t.Context(), flow.Operator, store.Token{Bot: "ci", Owner: "carol@example.com"}, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	item, err := db.Get(t.Context(), store.KindToken.Key(made.Hash))
	if err != nil {
		t.Fatal(err)
	}
	item.Body, item.Writer = []byte(strings.Replace(string(item.Body), `"owner":"carol@example.com",`, "", 1)), store.NewWriter()
	if _, err := db.Put(t.Context(), item); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	warning := "warning: token " + made.ID + " of bot ci has no owner"
	for _, args := range [][]string{{"token", "list", "-data", data}, {"check", "-flows", flows, "-data", data}} {
		if got := said(args...); !strings.Contains(got, warning) {
			t.Errorf("%s: %s", args, got)
		}
	}
	said("token", "set-owner", made.ID, "carol@example.com", "-data", data)
	for _, args := range [][]string{{"token", "list", "-data", data}, {"check", "-flows", flows, "-data", data}} {
		if got := said(args...); strings.Contains(got, "warning: token") {
			t.Errorf("%s: %s", args, got)
		}
	}
}
