package confine

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/symflows/symflows/internal/deadline"
)

// role makes the test binary something else than the tests: a stranger's
// program, or whoever runs one.
const role = "CONFINE_TEST_ROLE"

// bare says that the tests run where the kernel gives no namespaces.
const bare = "CONFINE_TEST_BARE"

// secret is in the environment of who runs strangers' programs.
const secret = "CONFINE_TEST_SECRET"

func TestMain(m *testing.M) {
	switch os.Getenv(role) {
	case "":
		os.Exit(m.Run())
	case "bare":
		runBare()
	case "host":
		runHost()
	case "family":
		startFamily()
	case "intermediate":
		start("child")
	case "child":
		wait()
	case "patient":
		asked := make(chan os.Signal, 1)
		signal.Notify(asked, syscall.SIGTERM)
		fmt.Println("ready")
		<-asked
		fmt.Println("not yet")
		wait()
	case "many":
		for range 20 {
			start("child")
		}
		wait()
	case "nosy":
		lookAround()
	case "capabilities":
		status, _ := os.ReadFile("/proc/self/status")
		fmt.Print(string(status))
	}
}

// wait waits until it is killed.
func wait() {
	never := make(chan os.Signal, 1)
	signal.Notify(never, syscall.SIGUSR1)
	<-never
}

// start starts the test binary in a session of its own, with the file that says
// who is alive.
func start(as string) {
	child := exec.Command(self)
	child.Env = append(os.Environ(), role+"="+as, "ALIVE=3")
	child.ExtraFiles = []*os.File{alive()}
	child.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := child.Start(); err != nil {
		panic(err)
	}
}

// alive is the file that says who is alive: opened by its path, or inherited.
var alive = sync.OnceValue(func() *os.File {
	if os.Getenv("ALIVE") == "3" {
		return os.NewFile(3, "alive")
	}
	f, err := os.OpenFile(os.Getenv("ALIVE"), os.O_WRONLY, 0)
	if err != nil {
		panic(err)
	}
	return f
})

// startFamily has a child that has left, and one whose parent is gone.
func startFamily() {
	start("child")
	start("intermediate")
	fmt.Println("ready")
	if os.Getenv("LEAVE") == "" {
		wait()
	}
}

// lookAround prints what it sees of the secret in all processes.
func lookAround() {
	all, _ := filepath.Glob("/proc/[0-9]*/environ")
	for _, path := range all {
		if environ, err := os.ReadFile(path); err == nil && bytes.Contains(environ, []byte("of those who run us")) {
			fmt.Println(path)
		}
	}
	fmt.Println(len(all), "processes")
}

// runHost runs a program as the product does, and says how isolated it was.
func runHost() {
	if err := Hide(); err != nil {
		panic(err)
	}
	p := program(os.Getenv("HOST_OF"))
	p.Env = append(p.Env, "ALIVE="+os.Getenv("ALIVE"))
	p.Stdout, p.Stderr = os.Stdout, os.Stderr
	isolation, err := p.Run(context.Background())
	fmt.Printf("host %d, isolation %v, error %v\n", os.Getpid(), isolation, err)
}

// runBare runs one test where there are no namespaces to be had.
func runBare() {
	if err := os.WriteFile("/proc/sys/user/max_user_namespaces", []byte("0"), 0); err != nil {
		panic(err)
	}
	os.Setenv(role, "")
	os.Setenv(bare, "1")
	panic(syscall.Exec(self, []string{os.Args[0], "-test.run=^" + os.Getenv("BARE_TEST") + "$", "-test.v"}, os.Environ()))
}

// bothWays runs a test a second time where the kernel gives no namespaces. On a
// machine that gives none, the first time is that already.
func bothWays(t *testing.T) {
	t.Helper()
	if os.Getenv(bare) != "" {
		return
	}
	t.Run("bare", func(t *testing.T) {
		t.Parallel()
		cmd := exec.Command(self)
		name, _, _ := strings.Cut(t.Name(), "/")
		cmd.Env = append(os.Environ(), role+"=bare", "BARE_TEST="+name)
		cmd.SysProcAttr = &syscall.SysProcAttr{
			Cloneflags:  syscall.CLONE_NEWUSER,
			UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Geteuid(), Size: 1}},
			GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getegid(), Size: 1}},
		}
		out, err := cmd.CombinedOutput()
		if _, failed := errors.AsType[*exec.ExitError](err); err != nil && !failed {
			t.Logf("this machine gives no namespaces, so the test has run without: %v", err)
			return
		}
		if err != nil || !strings.Contains(string(out), "--- PASS") {
			t.Errorf("without namespaces: %v\n%s", err, out)
		}
	})
}

func program(as string) Program {
	return Program{Path: self, Env: []string{role + "=" + as}, Dir: "/"}
}

// isolated checks what a process says about its isolation: without namespaces
// there must be a reason.
func isolated(t *testing.T, p *Process) bool {
	t.Helper()
	if os.Getenv(bare) != "" && p.Isolation() == nil {
		t.Error("it is isolated where that can't be")
	}
	return p.Isolation() == nil
}

// fifo makes a named pipe, and gives a channel that closes once all are gone
// that had it open.
func fifo(t *testing.T) (path string, gone <-chan struct{}) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "alive")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	over := make(chan struct{})
	go func() {
		defer close(over)
		alive, err := os.Open(path) // once somebody has it
		if err != nil {
			t.Error(err)
			return
		}
		defer alive.Close()
		_, _ = io.Copy(io.Discard, alive)
	}()
	return path, over
}

// within bounds what may hang if it is broken.
func within(t *testing.T, what string, done <-chan struct{}) {
	t.Helper()
	select {
	case <-done:
	case <-time.After(deadline.LastResort):
		t.Fatalf("%s: still waiting", what)
	}
}

// beginProgram starts a program and waits until it is ready.
func beginProgram(t *testing.T, p Program) (*Process, *bufio.Reader) {
	t.Helper()
	reading, writing, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { reading.Close() })
	p.Stdout = writing
	process, err := p.Start()
	writing.Close()
	if err != nil {
		t.Fatal(err)
	}
	said := bufio.NewReader(reading)
	if line, err := said.ReadString('\n'); line != "ready\n" {
		t.Fatalf("it said %q, %v", line, err)
	}
	return process, said
}

func TestNothingOutlivesItsEnd(t *testing.T) {
	t.Parallel()
	bothWays(t)
	path, gone := fifo(t)
	p := program("family")
	p.Env = append(p.Env, "ALIVE="+path, "LEAVE=1")
	if _, err := p.Run(t.Context()); err != nil {
		t.Error(err)
	}
	within(t, "what it has left", gone)
}

func TestNothingOutlivesKill(t *testing.T) {
	t.Parallel()
	bothWays(t)
	path, gone := fifo(t)
	p := program("family")
	p.Env = append(p.Env, "ALIVE="+path)
	process, _ := beginProgram(t, p)
	isolated(t, process)
	process.Kill()
	process.Kill() // harmless
	if err := process.Wait(); err == nil {
		t.Error("it was killed, and that is no error")
	}
	within(t, "what it has left", gone)
}

func TestNothingOutlivesUs(t *testing.T) {
	t.Parallel()
	bothWays(t)
	path, gone := fifo(t)
	host := exec.Command(self)
	host.Env = append(os.Environ(), role+"=host", "HOST_OF=family", "ALIVE="+path)
	out, err := host.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := host.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "ready\n" {
		t.Fatalf("it said %q, %v", line, err)
	}
	if err := host.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	within(t, "what a killed host has left", gone)
	_ = host.Wait() // killed
}

// Who has made no provision for SIGTERM ends by it, and who has is left to it.
func TestTerminate(t *testing.T) {
	t.Parallel()
	bothWays(t)
	path, gone := fifo(t)
	p := Program{Path: "sh", Args: []string{"-c", "exec 3>" + path + "; echo ready; exec sleep infinity"}, Dir: "/", Env: []string{"PATH=" + os.Getenv("PATH")}}
	process, _ := beginProgram(t, p)
	process.Terminate()
	if err := process.Wait(); err == nil {
		t.Error("it was ended, and that is no error")
	}
	within(t, "a program without provision", gone)

	patient, said := beginProgram(t, program("patient"))
	patient.Terminate()
	if line, err := said.ReadString('\n'); line != "not yet\n" {
		t.Errorf("a program that handles SIGTERM said %q, %v", line, err)
	}
	patient.Kill()
	if err := patient.Wait(); err == nil {
		t.Error("it was killed, and that is no error")
	}
}

func TestProcessesAreLimited(t *testing.T) {
	t.Parallel()
	bothWays(t)
	path, gone := fifo(t)
	p := program("many")
	p.Env = append(p.Env, "ALIVE="+path)
	p.Processes = 10
	var said strings.Builder
	p.Stderr = &said
	_, err := p.Run(t.Context())
	if e, ok := errors.AsType[*exec.ExitError](err); !ok || e.ExitCode() != 137 {
		t.Errorf("got %v, want the status of a kill; it said %.2000s", err, said.String())
	}
	if !strings.Contains(said.String(), "more than 10 processes") {
		t.Errorf("it said %q", said.String())
	}
	within(t, "the processes", gone)
}

// A secret is in the environment of a shell that runs us, and in ours.
func TestEnvironmentsAboveAreHidden(t *testing.T) {
	t.Parallel()
	bothWays(t)
	sh := exec.Command("sh", "-c", fmt.Sprintf("/proc/%d/exe; true", os.Getpid()))
	sh.Env = append(os.Environ(), role+"=host", "HOST_OF=nosy", secret+"=of those who run us")
	sh.Stderr = os.Stderr
	out, err := sh.Output()
	if err != nil {
		t.Fatal(err)
	}
	var host int
	_, last, _ := strings.Cut(string(out), "host ")
	if _, err := fmt.Sscanf(last, "%d", &host); err != nil {
		t.Fatalf("%s: %v", out, err)
	}
	switch {
	case strings.Contains(string(out), "isolation <nil>"):
		if strings.Contains(string(out), "/environ") || !strings.Contains(string(out), "1 processes\n") {
			t.Errorf("it sees more than itself:\n%s", out)
		}
		if os.Getenv(bare) != "" {
			t.Error("it is isolated where that can't be")
		}
	case strings.Contains(string(out), fmt.Sprintf("/proc/%d/environ", host)):
		t.Errorf("it sees the environment of who runs it:\n%s", out)
	}
}

// Root or not, a program has no capability, and no way to one.
func TestCapabilities(t *testing.T) {
	t.Parallel()
	bothWays(t)
	p := program("capabilities")
	var out strings.Builder
	p.Stdout = &out
	if _, err := p.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"CapInh:\t0000000000000000\n", "CapPrm:\t0000000000000000\n", "CapEff:\t0000000000000000\n", "CapAmb:\t0000000000000000\n", "NoNewPrivs:\t1\n"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("its status has no %q:\n%s", want, out.String())
		}
	}
}

func TestStatus(t *testing.T) {
	t.Parallel()
	bothWays(t)
	for script, want := range map[string]int{"exit 0": 0, "exit 3": 3, "sh -c 'kill -KILL $$'; exit $?": 137} {
		p := Program{Path: "sh", Args: []string{"-c", script}, Dir: "/", Env: []string{"PATH=" + os.Getenv("PATH")}}
		_, err := p.Run(t.Context())
		got := 0
		if e, ok := errors.AsType[*exec.ExitError](err); ok {
			got = e.ExitCode()
		} else if err != nil {
			t.Errorf("%s: %v", script, err)
		}
		if got != want {
			t.Errorf("%s: got status %d, want %d", script, got, want)
		}
	}
}

func TestNoSuchProgram(t *testing.T) {
	t.Parallel()
	notOurs := filepath.Join(t.TempDir(), "text")
	if err := os.WriteFile(notOurs, []byte("no program"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, p := range []Program{{Path: "/no/such/program"}, {Path: notOurs}, {Path: "sh", Dir: "/no/such/folder"}} {
		if _, err := p.Start(); err == nil {
			t.Errorf("%+v was started", p)
		}
	}
}

func TestContextEndsIt(t *testing.T) {
	t.Parallel()
	bothWays(t)
	ctx, cancel := context.WithCancel(t.Context())
	path, gone := fifo(t)
	p := program("family")
	p.Env = append(p.Env, "ALIVE="+path)
	reading, writing := io.Pipe()
	p.Stdout = writing
	go func() {
		_, _ = bufio.NewReader(reading).ReadString('\n')
		cancel()
		_, _ = io.Copy(io.Discard, reading)
	}()
	if _, err := p.Run(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want the end of the context", err)
	}
	within(t, "what it has left", gone)
}
