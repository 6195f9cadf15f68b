// Package tailscalefake stands for Tailscale in tests: one server that keeps a
// tailnet, speaks the API of it as its documentation and its own Go client have it,
// and says no as it does.
//
//	fake.go    Fake: the tailnet, what tests do to it, and where calls go
//	policy.go  the policy file: versions, groups, and the tests that are in it
//	device.go  devices and their attributes, which end
//	subject.go the strategy, opened on it
package tailscalefake
