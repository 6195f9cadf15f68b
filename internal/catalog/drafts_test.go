package catalog_test

import (
	"encoding/json"
	"io/fs"
	"path/filepath"
	"regexp"
	"testing"
	"testing/fstest"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/symflows/symflows/internal/catalog"
	"github.com/symflows/symflows/internal/entity"
	"github.com/symflows/symflows/internal/flow"
)

// archives reads txtar files as folders, by the paths of the files.
func archives(t *testing.T, pattern string) map[string]fs.FS {
	t.Helper()
	folders := map[string]fs.FS{}
	paths, err := filepath.Glob(pattern)
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		archive, err := txtar.ParseFile(path)
		if err != nil {
			t.Fatal(err)
		}
		files := fstest.MapFS{}
		for _, f := range archive.Files {
			files[f.Name] = &fstest.MapFile{Data: f.Data}
		}
		folders[path] = files
	}
	return folders
}

// TestDrafts: what files say, said by entities, comes to the same flows.
func TestDrafts(t *testing.T) {
	t.Parallel()
	read := 0
	for name, folder := range archives(t, "testdata/*.txtar") {
		c, _ := catalog.LoadFS(folder, "sym", types)
		if c == nil {
			continue // it has faults
		}
		read++
		ids := map[string]string{}
		taken := map[string]bool{}
		for _, d := range c.Drafts {
			id := flow.EntityID("sym", string(d.Entity.Kind), d.Entity.Name, "")
			if taken[id] {
				id = flow.EntityID("sym", string(d.Entity.Kind), d.Entity.Name, d.Entity.Type)
			}
			if ids[d.Key] != "" || taken[id] {
				t.Errorf("%s: there are two %s", name, d.Key)
			}
			ids[d.Key], taken[id] = id, true
		}
		var entities []entity.Entity
		for _, d := range c.Drafts {
			e := d.Entity
			e.ID, e.Attributes = ids[d.Key], d.Attributes(func(key string) string { return ids[key] })
			entities = append(entities, e)
		}
		again, report := catalog.LoadDocuments(entities, "sym", types)
		if err := report.Err(); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for _, list := range []*catalog.Catalog{c, again} {
			for _, f := range list.Flows {
				f.Places = nil
				if f.Strategy != nil {
					for i := range f.Strategy.Targets {
						f.Strategy.Targets[i].ID = ""
					}
				}
			}
			list.Drafts = nil
		}
		if want, got := text(t, c.Flows), text(t, again.Flows); want != got {
			t.Errorf("%s: flows\n%s\nare, from entities,\n%s", name, want, got)
		}
		if want, got := text(t, c.Filter), text(t, again.Filter); want != got {
			t.Errorf("%s: filter %s, from entities %s", name, want, got)
		}
		if want, got := text(t, c.LogDestinations), text(t, again.LogDestinations); want != got {
			t.Errorf("%s: destinations %s, from entities %s", name, want, got)
		}
	}
	if read < 5 {
		t.Errorf("%d configurations were read", read)
	}
}

func text(t *testing.T, v any) string {
	t.Helper()
	b, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return sourceName.ReplaceAllString(string(b), "") // entities don't know from which file their Python is
}

var sourceName = regexp.MustCompile(`"name": "[^"]+\.py",?\n`)
