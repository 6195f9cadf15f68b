// Package discovery keeps files of target documents in step with what a strategy
// finds at its system, so that hundreds of accounts need not be typed by hand.
//
//	file.go    a file of configuration, document by document
//	update.go  what is new, renamed, gone or back
//
// A file belongs to the people who edit it: a document that needs no change keeps
// its bytes, and one that does is edited as YAML, comments and all. What was found
// last stands in the document's attribute "found", so that what people changed
// since can be told from what changed at the system.
//
// The package asks no system and reads no folder: it gets texts, and gives texts.
package discovery
