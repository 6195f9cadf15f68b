// Package egress connects to what configurations name: servers of strategies and of log
// destinations, by HTTP and otherwise.
//
//	egress.go   Ways: how to connect, by who owns the configuration
//	address.go  Rule: which addresses may be connected to; Refused
//
// Addresses are looked at when they are dialled, after the name was resolved, so that it
// does not matter what a name has led to before. What the configuration API owns reaches
// public addresses only, by https, and through no proxy, which would look up names for
// itself. What files own reaches private networks as well: whoever may deploy wrote them.
// Redirects are followed for neither.
package egress
