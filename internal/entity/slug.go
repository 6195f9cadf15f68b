package entity

import (
	"cmp"
	"strings"
)

// maxSlug is as long as names may be.
const maxSlug = 75

// derived gives the name of an entity that is sent without one: a secret's is the end
// of its path, and its key in the JSON there; an error logger's the channel; a log
// destination's the stream, or else the place of its URL, or its type.
func derived(kind Kind, typ string, v values) string {
	text := func(name string) string { s, _ := v[name].(string); return s }
	settings, _ := v["settings"].(map[string]any)
	setting := func(name string) string { s, _ := settings[name].(string); return s }
	switch kind {
	case KindSecret:
		path := strings.TrimRight(text("path"), "/")
		name := path[strings.LastIndex(path, "/")+1:]
		if key := setting("json_key"); key != "" {
			name += "-" + key
		}
		return slug(name, "secret")
	case KindErrorLogger:
		return slug(text("destination"), "errors")
	case KindLogDestination:
		_, place, _ := strings.Cut(setting("url"), "://")
		place, _, _ = strings.Cut(place, "?")
		return slug(cmp.Or(setting("stream_name"), setting("bucket"), place, setting("site"), typ), "destination")
	}
	return ""
}

// slug makes a name of a text: what names may not have is left out at its ends, and is
// a dash elsewhere. Otherwise gives the name of a text that has nothing.
func slug(text, otherwise string) string {
	name := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '-', r == '_':
			return r
		}
		return '-'
	}, text)
	name = strings.Trim(name, "-")
	if len(name) > maxSlug {
		name = strings.Trim(name[:maxSlug], "-")
	}
	return cmp.Or(name, otherwise)
}

// PathName gives the end of a secret's path as a name, by which it is found as well
// as by its own; "" for other kinds.
func (e Entity) PathName() string {
	if e.Kind != KindSecret || !e.Alive() {
		return ""
	}
	v := e.values()
	delete(v, "settings")
	return derived(e.Kind, e.Type, v)
}
