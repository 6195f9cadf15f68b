// Package store keeps everything that outlives a process.
//
// # What is here
//
// The port is [Store]: one table of items, each written whole by compare-and-swap
// on its revision (store.go, query.go). [Feed] is the log of changes of an
// embedded store.
//
// The typed side turns our types into items, and is the same for every
// implementation. Each has a file: [Runs] (which decoded.go may keep decoded), [Grants], [Sick] (targets that leave
// calls unanswered), [Messages], [Forms], [Users]
// (accounts.go: whose an address is; identities.go: who people are elsewhere,
// found.go: whom directories gave for them),
// [Tokens], [Acts] (what administrators did), [Refusals] (who clicked what they may not decide), [Calls] (tokens of handlers' calls), [Values] (what handlers remember),
// [Erasures] (whose names are taken out of what is closed), [Homes] (people's Home tabs, with
// what follows from runs for them, by derived.go: [Live] access, [Waits] and, by the
// day, [Stats]), [Deliveries] (which events of Slack's were taken), [Notices] (what administrators are told), [Rounds] (how far the look at who
// holds access has come), [Limits] (the pace of systems),
// [Lingering] (for how long sessions go on after access), [Destinations] (log destinations, and how
// far each was sent the log), [Entities] (what the configuration API keeps, and what of the files it may refer to), [Proposals] (changes of them that wait for approval) and [Flows], which reads published configuration (flows.go) and
// publishes it (publish.go). keys.go names the kinds of items and builds their keys;
// change.go reads, edits and writes an item, anew after each lost race.
//
// # What is elsewhere
//
// The implementations are store/dynamo (in AWS) and store/sqlite (on one machine);
// both run the suite of store/storetest, which also has a store in memory for
// tests. [Draft] (draft.go) is a table on top of another, for what is only tried. Which role may read and write which kinds is in infra/roles.go. What a
// run may become is decided by flow.Apply, and who reacts to changes is package
// workflow: nothing here decides. Audit records that are shipped are no items;
// see workflow.AuditLog. The times of local schedules are in store/sqlite.
package store
