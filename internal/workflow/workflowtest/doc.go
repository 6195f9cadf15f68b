// Package workflowtest holds the contracts of those ports of package workflow
// that have an implementation in AWS and one on this machine: [AuditLog],
// [Functions], [Remover] and [Schedule]. Both run the same suite. What is special
// to one of them is tested beside it; ports with a single implementation are
// tested with that.
package workflowtest
