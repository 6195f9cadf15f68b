package app

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/symflows/symflows/internal/workflow"
)

// TestDataIsPrivate: what is under -data can be read by no other user, though
// the folder was there before and lets others in, and so did the token's file.
func TestDataIsPrivate(t *testing.T) {
	t.Parallel()
	c := contest{newProduct(t.TempDir(), ""), t}
	if err := errors.Join(
		os.Mkdir(c.path("flows"), 0o700), os.WriteFile(c.path("flows/ask.yaml"), []byte(contestFlows), 0o600),
		os.Mkdir(c.path("data"), 0o755), os.Chmod(c.path("data"), 0o755),
		os.WriteFile(c.path("data/token"), []byte("expired"), 0o644), os.Chmod(c.path("data/token"), 0o644),
		c.start(options(nil)),
	); err != nil {
		t.Fatal(err)
	}
	token, err := os.ReadFile(c.path("data/token"))
	if err != nil {
		t.Fatal(err)
	}
	bot, _, err := c.local.Tokens.Check(t.Context(), string(token))
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = c.local.Submit.RequestByAPI(t.Context(), workflow.APIRequest{
		Bot: bot, FlowSRN: "sym:flow:ask:latest", UserEmail: "alice@example.com", Inputs: map[string]any{"reason": "why not"},
	})
	if err := errors.Join(err, c.settle()); err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	look := func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == c.path("data") {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		seen[filepath.Ext(path)] = true
		if info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s is %s", path, info.Mode())
		}
		if d.IsDir() && d.Name() == "lambda" {
			return fs.SkipDir // no other user gets past it
		}
		return nil
	}
	if err := errors.Join(filepath.WalkDir(c.path("data"), look), c.stop()); err != nil {
		t.Fatal(err)
	}
	for _, kind := range []string{".db", ".gz", ".json"} {
		if !seen[kind] {
			t.Errorf("there is no %s file: %v", kind, seen)
		}
	}
}
