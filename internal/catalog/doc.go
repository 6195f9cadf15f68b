// Package catalog reads configurations: the YAML documents of a folder become
// flows in which everything is resolved, or one report of all that is wrong,
// each fault with file, line and what to write instead. The same function
// runs at synth, when the local server starts and when a deploy publishes.
//
//	files ──▶ documents (document.go) ──▶ attributes (object.go) ──▶ what each kind means (kinds.go) ──▶ Catalog
//
// Whoever looks for targets reads what is there before they are (discovery.go).
//
// Entities, which the configuration API stores, go the same way from their attributes on
// (documents.go): what is wrong with them is told by kind, name and path instead of file
// and line. What files say becomes entities in turn (drafts.go), and
// entities documents of files (export.go).
//
// A document has a kind and the attributes of Sym's Terraform resource of that
// kind. References are by name, whatever the case of its letters.
//
// The package knows no strategy: what types there are, and what their settings
// must look like, is passed in. It reads no secret, and prints nothing that
// looks like one.
package catalog
