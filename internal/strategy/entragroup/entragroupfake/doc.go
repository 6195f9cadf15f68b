// Package entragroupfake stands for Microsoft Entra ID in tests: one server that
// keeps the users and groups of a tenant, gives tokens to an app, and speaks as much
// of Microsoft Graph as the strategy "entra_group" does, refusals included: 400 for
// what is there already, lists in pages, and queries of an index that must say so.
//
//	fake.go    Fake: the tenant, what tests do to it, and how apps sign in
//	graph.go   users and groups
//	pim.go     Privileged Identity Management
//	subject.go the strategy, opened on it
package entragroupfake
