// Package core builds what all deployments have in common, on this machine
// and in AWS: one function per thing built, and nothing that decides. What
// differs (the store, what runs workflows, schedules, where functions run) is
// put in by whoever knows it: package app for this machine, and the main
// package of each function in AWS, so that no function is linked with what it
// has no right to use.
package core
