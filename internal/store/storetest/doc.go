// Package storetest has the suite that every store.Store must pass ([Run]), and
// stores for tests of the code above the port: [Memory], which keeps items in
// memory only, and [Faulty], which fails when a test tells it to.
package storetest
