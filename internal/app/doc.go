// Package app puts the parts together, by hand: one function per thing built,
// and nothing that decides.
package app
