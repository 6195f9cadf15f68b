package lambdahost

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
)

// role makes the test binary a function, or a host that is killed, instead of
// running the tests.
const role = "LAMBDAHOST_TEST_ROLE"

// ourSecret is what functions must not see.
const ourSecret = "xoxb-secret-of-ours"

func TestMain(m *testing.M) {
	switch os.Getenv(role) {
	case "":
		os.Setenv("SLACK_BOT_TOKEN", ourSecret)
		os.Exit(m.Run())
	case "function":
		lambda.Start(handle)
	case "stubborn":
		signal.Ignore(syscall.SIGTERM)
		lambda.Start(handle)
	case "fails at once":
		fmt.Fprintln(os.Stderr, "no configuration")
		os.Exit(1)
	case "host":
		runHost()
	case "child":
		// Holds the pipe that it was given until it is killed.
		never := make(chan os.Signal, 1)
		signal.Notify(never, syscall.SIGUSR1)
		<-never
	}
}

// order is what a test wants of the function.
type order struct {
	Do    string
	Text  string
	Alive string // path of a FIFO to write "<instance>\n" to and keep open
	Wait  string // path of a FIFO to read a byte from
}

func handle(ctx context.Context, o order) (any, error) {
	if o.Alive != "" {
		alive, err := os.OpenFile(o.Alive, os.O_WRONLY, 0)
		if err != nil {
			return nil, err
		}
		fmt.Fprintln(alive, instance())
		if o.Do == "hang with a child" {
			child := exec.Command(os.Args[0])
			child.Env = append(os.Environ(), role+"=child")
			child.ExtraFiles = []*os.File{alive}
			child.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // it leaves our group
			if err := child.Start(); err != nil {
				return nil, err
			}
			alive.Close()
		}
	}
	if o.Wait != "" {
		wait, err := os.Open(o.Wait)
		if err != nil {
			return nil, err
		}
		if _, err := wait.Read(make([]byte, 1)); err != nil {
			return nil, err
		}
	}
	switch o.Do {
	case "hang", "hang with a child":
		select {}
	case "fail":
		return nil, errors.New(o.Text)
	case "panic":
		panic(o.Text)
	case "exit":
		os.Exit(3)
	case "print":
		fmt.Print(o.Text)
	case "environment":
		return os.Environ(), nil
	case "large":
		return strings.Repeat("x", 7<<20), nil
	case "broken stream":
		return io.MultiReader(strings.NewReader(`{"half":`), brokenReader{}), nil
	case "context":
		lc, _ := lambdacontext.FromContext(ctx)
		_, bounded := ctx.Deadline()
		return map[string]any{"arn": lc.InvokedFunctionArn, "id": lc.AwsRequestID, "bounded": bounded}, nil
	}
	return map[string]any{"text": o.Text, "instance": instance()}, nil
}

// instance tells processes apart. Their numbers don't: each may be the first.
var instance = sync.OnceValue(rand.Text)

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, errors.New("the source dried up") }

// runHost is a host that invokes its function and is killed meanwhile.
func runHost() {
	h, err := Open(context.Background(), Options{
		Config: Config{Functions: map[string]Function{goARN: goFunction("function")}},
		Data:   os.Getenv("HOST_DATA"), Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		panic(err)
	}
	payload, _ := json.Marshal(order{Do: "hang with a child", Alive: os.Getenv("HOST_ALIVE")})
	_, err = h.Invoke(context.Background(), goARN, payload)
	panic(fmt.Sprint("the function has ended: ", err))
}

const (
	goARN     = "arn:aws:lambda:us-east-1:123456789012:function:go"
	otherARN  = "arn:aws:lambda:us-east-1:123456789012:function:other"
	pythonARN = "arn:aws:lambda:us-east-1:123456789012:function:python"
)

// now is any time.
var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// unlimited is more than the race detector's shadow of a test binary.
const unlimited = 1 << 40 // MB

// goFunction is the test binary as a function.
func goFunction(as string) Function {
	return Function{
		Command: []string{os.Args[0]}, Handler: "bootstrap", Dir: ".",
		Environment: map[string]string{role: as}, Timeout: defaultTimeout, MemoryMB: unlimited,
	}
}

func pythonFunction(t *testing.T, path, handler string) Function {
	t.Helper()
	file, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	return Function{
		Python: &Python{File: file, Handler: handler, Interpreter: "python3"}, Dir: filepath.Dir(file),
		Timeout: defaultTimeout, MemoryMB: defaultMemoryMB,
	}
}

// bench is a host with a log that can be read.
type bench struct {
	*Host
	data string
	log  *record
}

func open(t *testing.T, functions map[string]Function) *bench {
	t.Helper()
	b := &bench{data: t.TempDir(), log: &record{}}
	var err error
	b.Host, err = Open(t.Context(), Options{
		Config: Config{Functions: functions}, Data: b.data, Log: slog.New(slog.NewJSONHandler(b.log, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

func openGo(t *testing.T) *bench {
	t.Helper()
	return open(t, map[string]Function{goARN: goFunction("function")})
}

func (b *bench) order(ctx context.Context, o order) ([]byte, error) {
	payload, err := json.Marshal(o)
	if err != nil {
		return nil, err
	}
	return b.Invoke(ctx, goARN, payload)
}

// mustOrder gives the instance that did it.
func (b *bench) mustOrder(t *testing.T, o order) (instance string) {
	t.Helper()
	answer, err := b.order(t.Context(), o)
	if err != nil {
		t.Fatalf("%+v: %v", o, err)
	}
	var got struct{ Instance string }
	if err := json.Unmarshal(answer, &got); err != nil {
		t.Fatalf("%+v: %s: %v", o, answer, err)
	}
	return got.Instance
}

// record keeps what is logged.
type record struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (r *record) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.Write(p)
}

// lines gives what was logged, decoded.
func (r *record) lines(t *testing.T) []map[string]any {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []map[string]any
	for line := range strings.Lines(r.text.String()) {
		var m map[string]any
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		out = append(out, m)
	}
	return out
}

// fifo makes a named pipe.
func fifo(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
