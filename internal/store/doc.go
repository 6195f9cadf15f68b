// Package store is the port to storage: one table of items, each written
// whole, with compare-and-swap ([Store]). The implementations are store/sqlite
// and store/dynamo; both run the suite of store/storetest.
//
// The typed side ([Runs], [Grants], [Flows], [Messages], [Users], [Tokens]) is
// in this package too and is the same for every implementation: it only turns
// our types into items.
package store
