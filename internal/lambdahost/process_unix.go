//go:build unix

package lambdahost

import "syscall"

// terminate asks a process group to end; kill ends it. A group that is gone
// needs neither, so errors tell nothing.
func terminate(group int) { _ = syscall.Kill(-group, syscall.SIGTERM) }

func kill(group int) { _ = syscall.Kill(-group, syscall.SIGKILL) }
