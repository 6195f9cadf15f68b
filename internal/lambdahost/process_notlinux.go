//go:build unix && !linux

package lambdahost

import "syscall"

// ownGroup makes a process lead a group of its own.
func ownGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// limitMemory does nothing: only Linux can limit another process.
func limitMemory(int, int) error { return nil }
