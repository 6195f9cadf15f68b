package confine

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Names by which our binary is not what it is otherwise.
const (
	keeperName = "sym-flows-keeper"
	stageName  = "sym-flows-stage"
)

// self is our binary, though its file may be gone.
const self = "/proc/self/exe"

// endAll tells a keeper to end its program at once, and all that this has
// started. The kernel sends it should we be gone.
const endAll = syscall.SIGHUP

// reportFile is where a keeper, or a stage, tells how the start went.
const reportFile = 3

// countEvery is how often the processes are counted.
const countEvery = 200 * time.Millisecond

func init() {
	switch os.Args[0] {
	case keeperName:
		runtime.LockOSThread() // programs end with the thread that started them
		os.Exit(keep(os.Args[1:]))
	case stageName:
		runtime.LockOSThread() // capabilities are a thread's
		fail(enter(os.Args[1:]))
	}
}

// keep starts a program, and sees it and all that it starts to their end. It
// gives the program's exit status. The arguments are the bounds of memory and
// of processes, the program's path, its name and arguments.
func keep(args []string) int {
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGTERM, endAll)
	reports := os.NewFile(reportFile, "report")
	answer := json.NewEncoder(reports)
	most, err := strconv.Atoi(args[1])
	if err != nil {
		_ = answer.Encode(report{Error: err.Error()})
		return 1
	}
	if err := prctl(prSetChildSubreaper, 1); err != nil {
		_ = answer.Encode(report{Error: "keep what it starts: " + err.Error()})
		return 1
	}
	pid, isolation, err := begin(args)
	if err != nil {
		_ = answer.Encode(report{Error: err.Error()})
		return 1
	}
	said := report{}
	if isolation != nil {
		said.NotIsolated = isolation.Error()
	}
	_ = answer.Encode(said) // if nobody reads it, we are told to end
	reports.Close()

	ended := make(chan int, 1)
	go reap(pid, ended)
	tick := time.NewTicker(countEvery)
	defer tick.Stop()
	for {
		select {
		case status := <-ended:
			endDescendants()
			return status
		case s := <-signals:
			if s == endAll {
				_ = syscall.Kill(pid, syscall.SIGKILL) // one that has ended needs none
				endDescendants()
				return 128 + int(syscall.SIGKILL)
			}
			terminate(pid, isolation == nil)
		case <-tick.C:
			if n := living(descendants(os.Getpid())); n > most {
				fmt.Fprintf(os.Stderr, "more than %d processes (%d): all were ended\n", most, n)
				_ = syscall.Kill(pid, syscall.SIGKILL)
				endDescendants()
				return 128 + int(syscall.SIGKILL)
			}
		}
	}
}

// begin starts the program in namespaces of its own, or without them; then
// isolation says why.
func begin(args []string) (pid int, isolation, err error) {
	pid, isolation = stage(args, &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWPID | syscall.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: os.Geteuid(), HostID: os.Geteuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: os.Getegid(), HostID: os.Getegid(), Size: 1}},
		AmbientCaps: []uintptr{capSysAdmin, capSetPCap},
		Setpgid:     true, Pdeathsig: syscall.SIGKILL,
	}, "isolated")
	if isolation == nil {
		return pid, nil, nil
	}
	if e, ok := errors.AsType[programError](isolation); ok {
		return 0, nil, e
	}
	pid, err = stage(args, &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}, "")
	return pid, isolation, err
}

// programError is why a program itself can't be started.
type programError struct{ error }

// stage starts our binary as what becomes the program.
func stage(args []string, how *syscall.SysProcAttr, isolated string) (pid int, err error) {
	var ends [2]int
	if err := syscall.Pipe2(ends[:], syscall.O_CLOEXEC); err != nil {
		return 0, err
	}
	defer syscall.Close(ends[0])
	pid, _, err = syscall.StartProcess(self, append([]string{stageName, isolated}, args...), &syscall.ProcAttr{
		Env: os.Environ(), Files: []uintptr{0, 1, 2, uintptr(ends[1])}, Sys: how,
	})
	syscall.Close(ends[1])
	if err != nil {
		return 0, fmt.Errorf("the kernel gives it no namespaces of its own: %w", err)
	}
	said := make([]byte, 4096) // at most what a pipe takes at once
	n, err := syscall.Read(ends[0], said)
	if err == nil && n <= 0 {
		return pid, nil // its end closed when it became the program
	}
	_, _ = syscall.Wait4(pid, nil, 0, nil) // it has ended, by itself
	if err != nil {
		return 0, err
	}
	if text, ok := strings.CutPrefix(string(said[:n]), programFault); ok {
		return 0, programError{errors.New(text)}
	}
	return 0, errors.New(string(said[:n]))
}

// programFault begins what a stage says when it is not about namespaces.
const programFault = "program: "

// enter makes this process the program, with what it may have and no more.
func enter(args []string) error {
	isolated, memory, path, command := args[0] != "", args[1], args[3], args[4:]
	syscall.CloseOnExec(reportFile)
	if isolated {
		// Mounts above are locked, ours would not be: but to take it away takes a
		// capability, which the program has not.
		if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
			return fmt.Errorf("keep its mounts to itself: %w", err)
		}
		if err := syscall.Mount("proc", "/proc", "proc", syscall.MS_NOSUID|syscall.MS_NODEV|syscall.MS_NOEXEC, ""); err != nil {
			return fmt.Errorf("mount a /proc of its own: %w", err)
		}
		limitThreads()
	}
	if err := dropCapabilities(); err != nil {
		return fmt.Errorf("%stake its capabilities: %w", programFault, err)
	}
	if err := limitMemory(memory); err != nil { // last: it holds for us, too
		return fmt.Errorf("%slimit its memory: %w", programFault, err)
	}
	return fmt.Errorf("%s%w", programFault, &os.PathError{Op: "exec", Path: path, Err: syscall.Exec(path, command, os.Environ())})
}

// fail tells the keeper why a stage did not become a program.
func fail(err error) {
	text := []byte(err.Error())
	_, _ = syscall.Write(reportFile, text[:min(len(text), 4096)])
	os.Exit(1)
}

// limitThreads makes the numbers of processes end at what Lambda allows. Linux
// before 6.14 has one end for the whole machine, which is not ours to move.
func limitThreads() {
	const most = "1024"
	_ = os.WriteFile("/proc/sys/kernel/pid_max", []byte(most), 0)
}

// limitMemory bounds what this process, and each that it starts, may allocate.
// RLIMIT_DATA is used because it counts memory that can be written, where
// RLIMIT_AS also counts the address space that Go reserves.
func limitMemory(mb string) error {
	n, err := strconv.ParseUint(mb, 10, 64)
	if err != nil || n == 0 {
		return err
	}
	return syscall.Setrlimit(syscall.RLIMIT_DATA, &syscall.Rlimit{Cur: n << 20, Max: n << 20})
}

// reap takes the children that have ended, orphans of the program included, and
// gives the status of one.
func reap(pid int, ended chan<- int) {
	for {
		var status syscall.WaitStatus
		got, err := syscall.Wait4(-1, &status, 0, nil)
		switch {
		case err == syscall.EINTR:
		case err != nil:
			return // there are none any more
		case got != pid:
		case status.Signaled():
			ended <- 128 + int(status.Signal())
		default:
			ended <- status.ExitStatus()
		}
	}
}

// terminate asks a program to end. The first process of a namespace does not
// hear what it has made no provision for, and would be ended by: we end it.
func terminate(pid int, first bool) {
	if first && !catches(pid, syscall.SIGTERM) {
		_ = syscall.Kill(pid, syscall.SIGKILL) // one that has ended needs none
		return
	}
	_ = syscall.Kill(-pid, syscall.SIGTERM)
}
