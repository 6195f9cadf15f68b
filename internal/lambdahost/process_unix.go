//go:build unix

package lambdahost

import "syscall"

// terminate asks a process group to end; kill ends it. They ignore errors,
// which say that the group is gone.
func terminate(group int) { _ = syscall.Kill(-group, syscall.SIGTERM) }

func kill(group int) { _ = syscall.Kill(-group, syscall.SIGKILL) }
