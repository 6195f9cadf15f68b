package confine

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unsafe"
)

// From linux/prctl.h and linux/capability.h.
const (
	prSetDumpable       = 4
	prCapBSetDrop       = 24
	prSetChildSubreaper = 36
	prSetNoNewPrivs     = 38
	prCapAmbient        = 47
	prCapAmbientClear   = 4

	capSetPCap  = 8
	capSysAdmin = 21

	capVersion = 0x20080522
)

func prctl(option, value uintptr) error {
	if _, _, e := syscall.RawSyscall6(syscall.SYS_PRCTL, option, value, 0, 0, 0, 0); e != 0 {
		return e
	}
	return nil
}

// dropCapabilities takes all capabilities from this thread, and the ways to
// gain some: root is a user like others then.
func dropCapabilities() error {
	if err := prctl(prSetNoNewPrivs, 1); err != nil {
		return err
	}
	for c := uintptr(0); ; c++ {
		err := prctl(prCapBSetDrop, c)
		if err == syscall.EINVAL { // there is no such capability: that was the last
			break
		}
		if err != nil && os.Geteuid() == 0 { // others have none to lose
			return err
		}
	}
	if err := prctl(prCapAmbient, prCapAmbientClear); err != nil {
		return err
	}
	header := struct {
		version uint32
		pid     int32
	}{version: capVersion}
	var none [2]struct{ effective, permitted, inheritable uint32 }
	_, _, e := syscall.RawSyscall(syscall.SYS_CAPSET, uintptr(unsafe.Pointer(&header)), uintptr(unsafe.Pointer(&none)), 0)
	runtime.KeepAlive(&none)
	if e != 0 {
		return e
	}
	return nil
}

// catches tells whether a process has a handler for a signal.
func catches(pid int, s syscall.Signal) bool {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return false
	}
	for line := range strings.Lines(string(status)) {
		if mask, ok := strings.CutPrefix(line, "SigCgt:"); ok {
			bits, err := strconv.ParseUint(strings.TrimSpace(mask), 16, 64)
			return err == nil && bits&(1<<(s-1)) != 0
		}
	}
	return false
}

// descendants are the processes below one. Those that have ended count until
// their parents take them: threads of theirs may still be ending, and have
// children.
func descendants(pid int) []int {
	var out []int
	below := []int{pid}
	seen := map[int]bool{pid: true} // numbers can be given anew meanwhile
	for len(below) > 0 {
		for _, child := range children(below[0]) {
			if !seen[child] {
				seen[child] = true
				below, out = append(below, child), append(out, child)
			}
		}
		below = below[1:]
	}
	return out
}

// children are those of all threads of a process. A kernel without lists of
// children (CONFIG_PROC_CHILDREN) is asked about every process.
func children(pid int) []int {
	tasks, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	if err != nil {
		return nil // it is gone
	}
	var out []int
	for _, task := range tasks {
		list, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%s/children", pid, task.Name()))
		if os.IsNotExist(err) && !lists() {
			return childrenOfAll(pid)
		}
		for _, field := range strings.Fields(string(list)) {
			if child, err := strconv.Atoi(field); err == nil {
				out = append(out, child)
			}
		}
	}
	return out
}

// lists tells whether this kernel has lists of children.
func lists() bool {
	_, err := os.Stat(fmt.Sprintf("/proc/self/task/%d/children", os.Getpid()))
	return err == nil
}

func childrenOfAll(pid int) []int {
	all, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	var out []int
	for _, entry := range all {
		other, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		if _, parent := stat(other); parent == pid {
			out = append(out, other)
		}
	}
	return out
}

// living counts the processes that have not ended.
func living(pids []int) (n int) {
	for _, pid := range pids {
		if state, _ := stat(pid); state != "Z" && state != "" {
			n++
		}
	}
	return n
}

// stat reads a process's state and its parent; the state is "" if it is gone.
func stat(pid int) (state string, parent int) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return "", 0
	}
	// The name before may have anything in it: "12 (a) b) S 1 …".
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	if len(fields) < 2 {
		return "", 0
	}
	parent, _ = strconv.Atoi(fields[1])
	return fields[0], parent
}

// endDescendants ends all processes below this one, where [reap] takes them. They
// are stopped before, so that none of them starts another while we look; and we
// look again, as one may have changed its place while we did.
func endDescendants() {
	looks := 0
	for end := time.Now().Add(grace / 2); looks < 2 && time.Now().Before(end); looks++ {
		left := descendants(os.Getpid())
		if len(left) > 0 {
			looks = 0
		}
		for _, pid := range left {
			_ = syscall.Kill(pid, syscall.SIGSTOP) // one that has ended needs none
		}
		for _, pid := range left {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
		time.Sleep(time.Millisecond) // they end meanwhile, and those below them come to us
	}
}
