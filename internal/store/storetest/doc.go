// Package storetest has the suite that every store.Store must pass ([Run]),
// and stores for tests of whatever stands on the port: [Memory], which forgets,
// and [Faulty], which breaks down when told to.
package storetest
