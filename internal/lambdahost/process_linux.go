package lambdahost

import (
	"fmt"
	"syscall"

	"golang.org/x/sys/unix"
)

// ownGroup makes a process lead a group of its own, and die with the thread
// that started it.
func ownGroup() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// limitMemory bounds what a process, and each that it starts from now on, may
// allocate. RLIMIT_DATA is used because it counts memory that can be written,
// where RLIMIT_AS also counts the address space that Go reserves.
func limitMemory(pid, mb int) error {
	limit := unix.Rlimit{Cur: uint64(mb) << 20, Max: uint64(mb) << 20}
	if err := unix.Prlimit(pid, unix.RLIMIT_DATA, &limit, nil); err != nil {
		return fmt.Errorf("limit the memory of process %d: %w", pid, err)
	}
	return nil
}
