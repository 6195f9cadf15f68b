package tailscalefake

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/tailscale/hujson"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/strategy/strategytest"
	"github.com/symflows/symflows/internal/strategy/tailscale"
)

// File is the policy file of [Subject]: with comments, and with a test of its own.
const File = `// Who may reach what. Ask the network team before you change this.
{
	"groups": {
		// On call for production.
		"group:prod": [
			"lead@example.com", // always
		],
		"group:dev": ["lead@example.com"], // the staging network
		"group:contractors": [],
	},
	"postures": {
		"posture:prodAccess": ["custom:prodAccess == true"],
		"posture:current": ["node:tsReleaseTrack == 'stable'"],
	},
	"acls": [
		{"action": "accept", "src": ["group:prod"], "dst": ["prod:22"]},
		{"action": "accept", "src": ["group:dev"], "dst": ["dev:22"]},
	],
	// Nobody else but us may be shut out.
	"tests": [
		{"src": "mallory@example.com", "deny": ["prod:22"]},
	],
}
`

// Policy is the policy file as it is.
func (f *Fake) Policy() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.file
}

// SetPolicy is what somebody else does to it.
func (f *Fake) SetPolicy(file string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.file = file
}

// Unversioned has the file be given without its version.
func (f *Fake) Unversioned() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.unversioned = true
}

// GiveByway implements strategytest.Byway: a group with the person in it is put into
// the group.
func (f *Fake) GiveByway(target flow.Target, identity string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.file = edited(f.file, tailscale.Group(target), "group:contractors", true)
	f.file = edited(f.file, "group:contractors", identity, true)
}

// rules is what of a policy file this fake knows.
type rules struct {
	Groups map[string][]string `json:"groups"`
	ACLs   []struct {
		Action   string
		Src, Dst []string
	} `json:"acls"`
	Tests []struct {
		Src          string
		Accept, Deny []string
	} `json:"tests"`
}

func read(file string) (rules, error) {
	var r rules
	plain, err := hujson.Standardize([]byte(file))
	if err == nil {
		err = json.Unmarshal(plain, &r)
	}
	return r, err
}

func groups(file string) map[string][]string {
	r, err := read(file)
	if err != nil {
		panic(err)
	}
	return r.Groups
}

// in tells whether somebody is in a group, or in one that is in it.
func (r rules) in(group, who string) bool {
	return slices.ContainsFunc(r.Groups[group], func(m string) bool { return m == who || strings.HasPrefix(m, "group:") && r.in(m, who) })
}

func (r rules) accepts(who, at string) bool {
	for _, a := range r.ACLs {
		if a.Action == "accept" && slices.Contains(a.Dst, at) && slices.ContainsFunc(a.Src, func(s string) bool { return s == who || r.in(s, who) }) {
			return true
		}
	}
	return false
}

// fault runs the tests of a file; nil if it may be taken.
func fault(file string) map[string]any {
	r, err := read(file)
	if err != nil {
		return map[string]any{"message": err.Error()}
	}
	var data []map[string]any
	fails := func(who, at, want, got string) {
		data = append(data, map[string]any{"user": who, "errors": []string{fmt.Sprintf("address %q: want: %s, got: %s", at, want, got)}})
	}
	for _, t := range r.Tests {
		for _, at := range t.Accept {
			if !r.accepts(t.Src, at) {
				fails(t.Src, at, "Accept", "Drop")
			}
		}
		for _, at := range t.Deny {
			if r.accepts(t.Src, at) {
				fails(t.Src, at, "Drop", "Accept")
			}
		}
	}
	if data == nil {
		return nil
	}
	return map[string]any{"message": "test(s) failed", "data": data}
}

func version(file string) string { return fmt.Sprintf(`"%x"`, sha256.Sum256([]byte(file))) }

func (f *Fake) getFile(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Accept") != "application/hujson" {
		refuse(w, http.StatusNotAcceptable, "this fake gives the file as it is only, as anything else would lose its comments")
		return
	}
	w.Header().Set("Content-Type", "application/hujson")
	if !f.unversioned {
		w.Header().Set("ETag", version(f.file))
	}
	io.WriteString(w, f.file)
}

// posted reads a file that is sent.
func posted(w http.ResponseWriter, r *http.Request) (string, bool) {
	body, err := io.ReadAll(r.Body)
	if err != nil || r.Header.Get("Content-Type") != "application/hujson" {
		refuse(w, http.StatusUnsupportedMediaType, "this fake takes HuJSON")
		return "", false
	}
	return string(body), true
}

func (f *Fake) validate(w http.ResponseWriter, r *http.Request) {
	file, ok := posted(w, r)
	if !ok {
		return
	}
	if wrong := fault(file); wrong != nil {
		answer(w, http.StatusOK, wrong) // which is 200, whatever is wrong
		return
	}
	if strings.Contains(file, "unsynced") {
		io.WriteString(w, `{"message": "warning(s) found", "data": [{"user": "group:unsynced@example.com", "warnings": ["group is not syncing from SCIM and will be ignored by rules in the policy file"]}]}`)
	}
}

func (f *Fake) setFile(w http.ResponseWriter, r *http.Request) {
	file, ok := posted(w, r)
	if !ok {
		return
	}
	if f.Conflict() { // somebody else was faster
		f.file = strings.Replace(f.file, "\n\t\"acls\"", "\n\t// Changed by somebody else.\n\t\"acls\"", 1)
	}
	if match := r.Header.Get("If-Match"); match != "" && match != version(f.file) {
		refuse(w, http.StatusPreconditionFailed, "precondition failed, invalid old hash")
		return
	}
	if wrong := fault(file); wrong != nil {
		answer(w, http.StatusBadRequest, wrong)
		return
	}
	f.file = file
	w.Header().Set("Content-Type", "application/hujson")
	w.Header().Set("ETag", version(f.file))
	io.WriteString(w, f.file)
}

// difference says who was put into a group, or taken out.
func difference(old, changed string) (strategytest.Change, bool) {
	before, err := read(old)
	if err != nil {
		panic(err)
	}
	after, err := read(changed)
	if err != nil {
		return strategytest.Change{}, true
	}
	for name, members := range after.Groups {
		for _, m := range members {
			if !slices.Contains(before.Groups[name], m) {
				return strategytest.Change{Event: "escalate", Identity: m}, true
			}
		}
		for _, m := range before.Groups[name] {
			if !slices.Contains(members, m) {
				return strategytest.Change{Event: "deescalate", Identity: m}, true
			}
		}
	}
	return strategytest.Change{}, true
}

// edited is a file with somebody in a group, or without them.
func edited(file, group, who string, in bool) string {
	r, err := read(file)
	if err != nil {
		panic(err)
	}
	i := slices.Index(r.Groups[group], who)
	if (i >= 0) == in {
		return file
	}
	if in {
		return patched(file, "add", "/groups/"+group+"/-", who)
	}
	return patched(file, "remove", fmt.Sprintf("/groups/%s/%d", group, i), nil)
}

// without is a file without a group, and without the rules that name it.
func without(file, group string) string {
	file = patched(file, "remove", "/groups/"+group, nil)
	return strings.ReplaceAll(file, `"src": ["`+group+`"]`, `"src": ["group:dev"]`)
}

func patched(file, op, path string, value any) string {
	v, err := hujson.Parse([]byte(file))
	if err != nil {
		panic(err)
	}
	patch, err := json.Marshal([]map[string]any{{"op": op, "path": path, "value": value}})
	if err != nil {
		panic(err)
	}
	if err := v.Patch(patch); err != nil {
		panic(err)
	}
	return v.String()
}
