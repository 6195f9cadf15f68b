// Package entity is one piece of configuration that is kept apart from the files:
// what the configuration API stores, and what Sym's Terraform provider speaks of.
//
// An [Entity] has the attributes that a YAML document of its kind has, with the ids
// of other entities where the document has their names. entity.go has what it is,
// kinds.go the kinds and what each refers to, wire.go how the provider writes it,
// which is not quite the same, plain.go how people write it, slug.go the names of those
// that are sent without, bounds.go what the API may have access granted by, change.go what
// a change does, in plain words, and draft.go what those of the files are before they have
// ids.
//
// Whether attributes are right is not known here: package catalog tells, by the
// rules that it has for files. Package store keeps entities and gives them their ids.
package entity
