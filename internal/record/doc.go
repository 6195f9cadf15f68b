// Package record shows runs to others under Sym's names: an event as an audit
// record ([Of]), the record that strategies are called with ([Processing]), and
// the parts of it that the API and customers' handlers get too (actors,
// channels, fields, and the user object).
//
// It has no say in what happens: what a run may do is package flow's. How a
// record is stored or sent is that of package audit and the adapters; what it
// looks like on the wire is package events.
package record
