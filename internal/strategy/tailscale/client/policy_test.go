package client

import (
	"testing"

	"github.com/tailscale/hujson"
)

// TestEdit: somebody is put in and taken out in the way in which the group is
// written, and every comment stays.
func TestEdit(t *testing.T) {
	t.Parallel()
	const who = "alice@example.com"
	for _, test := range []struct{ name, list, with, without string }{
		{"Empty", `[]`, `["alice@example.com"]`, `[]`},
		{"OneLine", `["a@x.org"]`, `["a@x.org", "alice@example.com"]`, `["a@x.org"]`},
		{"OneLineComment", `["a@x.org" /* lead */]`, `["a@x.org", "alice@example.com" /* lead */]`, `["a@x.org" /* lead */]`},
		{"Lines", "[\n\t\t\"a@x.org\",\n\t]", "[\n\t\t\"a@x.org\",\n\t\t\"alice@example.com\"\n\t]", "[\n\t\t\"a@x.org\",\n\t]"},
		{"Comment", "[\n\t\t\"a@x.org\", // lead\n\t]", "[\n\t\t\"a@x.org\", // lead\n\t\t\"alice@example.com\"\n\t]", "[\n\t\t\"a@x.org\", // lead\n\t]"},
		{"CommentAtEnd", "[\n\t\t\"a@x.org\",\n\t\t// no more\n\t]", "[\n\t\t\"a@x.org\",\n\t\t\"alice@example.com\"\n\t\t// no more\n\t]", "[\n\t\t\"a@x.org\",\n\t\t// no more\n\t]"},
		{"CommentOnly", "[\n\t\t// nobody yet\n\t]", "[\"alice@example.com\"\n\t\t// nobody yet\n\t]", "[\n\t\t// nobody yet\n\t]"},
		{"Twice", `["Alice@example.com", "a@x.org"]`, `["Alice@example.com", "a@x.org", "alice@example.com"]`, `[ "a@x.org"]`},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			text := func(list string) string {
				return "{\"groups\": {\"group:a/b~c\": " + list + ", /* next */ \"group:other\": [\"alice@example.com\"]}} // end\n"
			}
			file, err := hujson.Parse([]byte(text(test.list)))
			if err != nil {
				t.Fatal(err)
			}
			p := policy{file: file}
			if err := p.add("group:a/b~c", who); err != nil {
				t.Fatal(err)
			}
			if got := p.file.String(); got != text(test.with) || !p.has("group:a/b~c", who) {
				t.Errorf("with:\n%s\nwant:\n%s", got, text(test.with))
			}
			if err := p.remove("group:a/b~c", who); err != nil {
				t.Fatal(err)
			}
			if got := p.file.String(); got != text(test.without) || p.has("group:a/b~c", who) {
				t.Errorf("without:\n%s\nwant:\n%s", got, text(test.without))
			}
		})
	}
}

// TestThrough: groups may be in groups, and in each other.
func TestThrough(t *testing.T) {
	t.Parallel()
	file, err := hujson.Parse([]byte(`{"groups": {"group:a": ["group:b", "x@x.org", 7], "group:b": ["group:c", "group:a"], "group:c": ["Alice@example.com"], "group:d": "alice@example.com"}}`))
	if err != nil {
		t.Fatal(err)
	}
	p := policy{file: file}
	if got := p.through("group:a", "alice@example.com"); len(got) != 1 || got[0] != "group:c" {
		t.Errorf("got %q, want group:c", got)
	}
	if p.list("group:d") != nil || p.list("group:e") != nil || p.members("group:e") != nil {
		t.Error("what is no group is taken for one")
	}
}
