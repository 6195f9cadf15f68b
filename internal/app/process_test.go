package app_test

import (
	"bufio"
	"bytes"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/symflows/symflows/internal/config"
	"github.com/symflows/symflows/internal/flow"
)

// build makes the command functions/local.
func build(b testing.TB) (binary string) {
	b.Helper()
	binary = filepath.Join(b.TempDir(), "local")
	if out, err := exec.Command("go", "build", "-o", binary, "github.com/symflows/symflows/functions/local").CombinedOutput(); err != nil {
		b.Fatalf("%v: %s", err, out)
	}
	return binary
}

// process is the command at work.
type process struct {
	b   *testing.B
	cmd *exec.Cmd
	url string
}

var address = regexp.MustCompile(`http://127\.0\.0\.1:\d+`)

// start runs the command until it answers on /healthz.
func start(b *testing.B, binary, flows, data string, settings config.Settings) *process {
	b.Helper()
	p := &process{b: b, cmd: exec.Command(binary, "-listen", "127.0.0.1:0", "-flows", flows, "-data", data, "-owner", "carol@example.com")}
	p.cmd.Env = os.Environ()
	for name, value := range settings.Env() {
		p.cmd.Env = append(p.cmd.Env, name+"="+value)
	}
	var logs bytes.Buffer
	p.cmd.Stderr = &logs
	out, err := p.cmd.StdoutPipe()
	if err == nil {
		err = p.cmd.Start()
	}
	if err != nil {
		b.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for p.url == "" && lines.Scan() {
		p.url = address.FindString(lines.Text()) // it says where it listens
	}
	if p.url == "" {
		b.Fatalf("the process ended: %v\n%s", p.cmd.Wait(), &logs)
	}
	resp, err := http.Get(p.url + "/healthz")
	if err != nil {
		b.Fatal(err)
	}
	if resp.Body.Close(); resp.StatusCode != http.StatusOK {
		b.Fatalf("/healthz: %s", resp.Status)
	}
	return p
}

// stop ends the process as Ctrl-C does.
func (p *process) stop() {
	p.b.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		p.b.Error(err)
	}
	if err := p.cmd.Wait(); err != nil {
		p.b.Error(err)
	}
}

// memory reads a line of /proc/PID/status, in MB (2^20 bytes): VmRSS is what
// is resident now, VmHWM the most that ever was (man 5 proc_pid_status).
func (p *process) memory(name string) float64 {
	p.b.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		p.b.Fatal(err)
	}
	found := regexp.MustCompile(name + `:\s+(\d+) kB`).FindSubmatch(status)
	if found == nil {
		p.b.Fatalf("no %s in %s", name, status)
	}
	kb, err := strconv.Atoi(string(found[1]))
	if err != nil {
		p.b.Fatal(err)
	}
	return float64(kb) / 1024
}

// BenchmarkStart is the time from the start of the process to 200 on /healthz,
// with the repository's flows and the simulated Slack: the first time, when the
// sample functions are built, and again. Its memory is then what an idle
// deployment takes.
func BenchmarkStart(b *testing.B) {
	binary := build(b)
	b.Run("first", func(b *testing.B) {
		starts(b, binary, b.TempDir)
	})
	b.Run("again", func(b *testing.B) {
		data := b.TempDir()
		start(b, binary, exampleFlows, data, config.Settings{}).stop()
		starts(b, binary, func() string { return data })
	})
}

const exampleFlows = "../../flows"

func starts(b *testing.B, binary string, data func() string) {
	file, err := os.Stat(binary)
	if err != nil {
		b.Fatal(err)
	}
	var took []time.Duration
	var idle []float64
	for range b.N {
		dir := data()
		began := time.Now()
		p := start(b, binary, exampleFlows, dir, config.Settings{})
		took = append(took, time.Since(began))
		idle = append(idle, p.memory("VmRSS"))
		p.stop()
	}
	slices.Sort(took)
	slices.Sort(idle)
	b.ReportMetric(float64(took[len(took)/2].Milliseconds()), "p50-ms")
	b.ReportMetric(idle[len(idle)/2], "idle-MB")
	b.ReportMetric(float64(file.Size())/(1<<20), "binary-MB")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkMemory is the most memory that a process ever had while b.N runs
// were asked for, approved and granted, by several clients at once.
func BenchmarkMemory(b *testing.B) {
	s := surround(b)
	data := b.TempDir()
	p := start(b, build(b), s.flows, data, s.settings())
	c := newCaller(b, p.url, data, time.Now)
	each(b, clients, b.N, func(int) error {
		run, err := c.request()
		if err != nil {
			return err
		}
		<-s.reached(asked, run)
		if err := c.press(bob, flow.ActionApprove, run); err != nil {
			return err
		}
		<-s.reached(granted, run)
		return nil
	})
	b.ReportMetric(p.memory("VmHWM"), "peak-MB")
	b.ReportMetric(0, "ns/op")
	p.stop()
}
