package lambdahost

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/symflows/symflows/internal/deadline"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/workflow"
	"github.com/symflows/symflows/internal/workflow/workflowtest"
)

func expectError(t *testing.T, err error, code flow.Code, text string) {
	t.Helper()
	if flow.CodeOf(err) != code || !strings.Contains(flow.UserMessage(err), text) {
		t.Errorf("got %q of %s, want an error of %s about %q", err, flow.CodeOf(err), code, text)
	}
}

func TestInvokeGo(t *testing.T) {
	t.Parallel()
	b := openGo(t)
	answer, err := b.order(t.Context(), order{Do: "context"})
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		ARN, ID string
		Bounded bool
	}
	if err := json.Unmarshal(answer, &got); err != nil {
		t.Fatal(err)
	}
	if got.ARN != goARN || len(got.ID) != 36 || !got.Bounded {
		t.Errorf("the handler's context is %+v, want ARN, a UUID as request id and a deadline", got)
	}
	first := b.mustOrder(t, order{Text: "a"})
	if second := b.mustOrder(t, order{Text: "b"}); second != first {
		t.Errorf("process %s answered first, then %s: want the same", first, second)
	}
}

func TestInvokePython(t *testing.T) {
	t.Parallel()
	b := open(t, map[string]Function{pythonARN: pythonFunction(t, "testdata/python/handlers.py", "handlers.echo")})
	answer, err := b.Invoke(t.Context(), pythonARN, []byte(`{"table":"orders","name":"Zoë"}`))
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Event         map[string]string
		ARN, ID, Name string
		CWD           string
		Remaining     int64
	}
	if err := json.Unmarshal(answer, &got); err != nil {
		t.Fatal(err)
	}
	dir, err := filepath.Abs("testdata/python")
	if err != nil {
		t.Fatal(err)
	}
	if got.ARN != pythonARN || got.Name != "python" || len(got.ID) != 36 || got.CWD != dir {
		t.Errorf("the handler saw %+v", got)
	}
	if got.Event["name"] != "Zoë" {
		t.Errorf("the event is %v", got.Event)
	}
	if got.Remaining <= 0 || got.Remaining > defaultTimeout.Milliseconds() {
		t.Errorf("%d ms remain, want at most %s", got.Remaining, defaultTimeout)
	}
}

func TestFailures(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("é", 2000)
	for _, test := range []struct {
		name     string
		function Function
		payload  string
		code     flow.Code
		text     string
	}{
		{"GoError", goFunction("function"), `{"Do":"fail","Text":"no such table"}`, flow.CodeHandler, `function "f" failed: no such table`},
		{"GoPanic", goFunction("function"), `{"Do":"panic","Text":"boom"}`, flow.CodeHandler, "boom"},
		{"LongMessage", goFunction("function"), `{"Do":"fail","Text":"` + long + `"}`, flow.CodeHandler, long[:2000] + "…"},
		{"BrokenStream", goFunction("function"), `{"Do":"broken stream"}`, flow.CodeHandler, "the source dried up"},
		{"TooLarge", goFunction("function"), `{"Do":"large"}`, flow.CodeHandler, "larger than 6 MB"},
		{"Crash", goFunction("function"), `{"Do":"exit"}`, flow.CodeUnavailable, "exited before it answered"},
		{"ExitsAtStart", goFunction("fails at once"), `{}`, flow.CodeHandler, "exited before it asked"},
		{"NoSuchProgram", Function{Command: []string{"/no/such/program"}, Dir: ".", Timeout: defaultTimeout, MemoryMB: unlimited}, `{}`, flow.CodeHandler, "can't be started"},
		{"PythonException", pythonFunction(t, "testdata/python/handlers.py", "handlers.fail"), `{"table":"x"}`, flow.CodeHandler, "no such table: x"},
		{"PythonNoJSON", pythonFunction(t, "testdata/python/handlers.py", "handlers.unserialisable"), `{}`, flow.CodeHandler, "Unable to marshal response"},
		{"PythonTooLarge", pythonFunction(t, "testdata/python/handlers.py", "handlers.too_large"), `{}`, flow.CodeHandler, "larger than 6 MB"},
		{"PythonExit", pythonFunction(t, "testdata/python/handlers.py", "handlers.leave"), `{}`, flow.CodeUnavailable, "exited before it answered"},
		{"PythonNoHandler", pythonFunction(t, "testdata/python/handlers.py", "handlers.missing"), `{}`, flow.CodeHandler, "Handler 'missing' missing"},
		{"PythonNoModule", pythonFunction(t, "testdata/bad_import/bad_import.py", "bad_import.handler"), `{}`, flow.CodeHandler, "a_module_that_is_not_there"},
		{"PythonSyntax", pythonFunction(t, "testdata/bad_syntax/bad_syntax.py", "bad_syntax.handler"), `{}`, flow.CodeHandler, "bad_syntax.py, line 1"},
		{"PayloadTooLarge", goFunction("function"), strings.Repeat(" ", 6<<20) + "{}", flow.CodeHandler, "6 MB is the limit"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			const arn = "arn:aws:lambda:us-east-1:123456789012:function:f"
			b := open(t, map[string]Function{arn: test.function})
			for range 2 { // a failure must not spoil the next invocation
				_, err := b.Invoke(t.Context(), arn, []byte(test.payload))
				expectError(t, err, test.code, test.text)
				if err != nil && len([]rune(flow.UserMessage(err))) > 1100 {
					t.Errorf("the message is %d characters long", len([]rune(flow.UserMessage(err))))
				}
			}
		})
	}
}

// TestReported: what the function said is told as it said it, by a type that
// step tables can match.
func TestReported(t *testing.T) {
	t.Parallel()
	const arn = "arn:aws:lambda:us-east-1:123456789012:function:f"
	for _, test := range []struct {
		function      Function
		payload, kind string
	}{
		{goFunction("function"), `{"Do":"fail","Text":"no such table"}`, "errorString"},
		{goFunction("function"), `{"Do":"panic","Text":"no such table"}`, "string"},
		{pythonFunction(t, "testdata/python/handlers.py", "handlers.fail"), `{"table":"no such table"}`, "ValueError"},
	} {
		_, err := open(t, map[string]Function{arn: test.function}).Invoke(t.Context(), arn, []byte(test.payload))
		said, ok := errors.AsType[*Reported](err)
		if !ok || said.Type != test.kind || !strings.Contains(said.Message, "no such table") {
			t.Errorf("%s: %+v, %v; want a %s", test.payload, said, err, test.kind)
		}
	}
}

func TestUnmappedARN(t *testing.T) {
	t.Parallel()
	b := openGo(t)
	_, err := b.Invoke(t.Context(), pythonARN, nil)
	expectError(t, err, flow.CodeHandler, "function "+pythonARN+" is not mapped in local.yaml: add it")
}

func TestRestart(t *testing.T) {
	t.Parallel()
	b := openGo(t)
	first := b.mustOrder(t, order{})
	worker := b.functions[goARN].idle[0]
	worker.doom()
	<-worker.exited
	second := b.mustOrder(t, order{})
	if second == first {
		t.Errorf("process %s answered after its death", first)
	}
	if _, err := b.order(t.Context(), order{Do: "exit"}); err == nil {
		t.Error("a crash is no error")
	}
	if third := b.mustOrder(t, order{}); third == second {
		t.Errorf("process %s answered after its exit", second)
	}
}

func TestTimeout(t *testing.T) {
	t.Parallel()
	b := openGo(t)
	var bounds deadline.Bounds
	b.within = bounds.Within
	alive := fifo(t)
	gone := untilGone(alive, bounds.Pass)
	_, err := b.order(t.Context(), order{Do: "hang with a child", Alive: alive})
	expectError(t, err, flow.CodeUnavailable, "did not answer in time (its timeout is 30s)")
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want one that is context.DeadlineExceeded", err)
	}
	if err := <-gone; err != nil {
		t.Error(err)
	}
	b.mustOrder(t, order{})
}

// untilGone reads the line that a process writes to the FIFO, which it passes
// to started, and then waits until all are gone that have the FIFO open.
func untilGone(path string, started func()) <-chan error {
	gone := make(chan error, 1)
	go func() {
		alive, err := os.Open(path)
		if err != nil {
			gone <- err
			return
		}
		defer alive.Close()
		r := bufio.NewReader(alive)
		if _, err := r.ReadString('\n'); err != nil {
			gone <- err
			return
		}
		if started != nil {
			started()
		}
		_, err = io.Copy(io.Discard, r)
		gone <- err
	}()
	return gone
}

func TestCallerGivesUp(t *testing.T) {
	t.Parallel()
	b := openGo(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	alive := fifo(t)
	gone := untilGone(alive, cancel)
	_, err := b.order(ctx, order{Do: "hang", Alive: alive})
	expectError(t, err, flow.CodeUnavailable, "its caller has given up")
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want one that is context.Canceled", err)
	}
	if err := <-gone; err != nil {
		t.Error(err)
	}
	_, err = b.order(ctx, order{})
	expectError(t, err, flow.CodeUnavailable, "there was no time left")
}

func TestConcurrency(t *testing.T) {
	t.Parallel()
	b := openGo(t)
	alive, wait := fifo(t), fifo(t)
	// Open for both ways, so that neither end has to wait for the other.
	started, err := os.OpenFile(alive, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer started.Close()
	release, err := os.OpenFile(wait, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer release.Close()
	results := make(chan error)
	for range maxWorkers {
		go func() {
			_, err := b.order(t.Context(), order{Alive: alive, Wait: wait})
			results <- err
		}()
	}
	lines := bufio.NewReader(started)
	instances := map[string]bool{}
	for range maxWorkers {
		line, err := lines.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		instances[line] = true
	}
	if len(instances) != maxWorkers {
		t.Errorf("%d processes are at work, want %d", len(instances), maxWorkers)
	}
	_, err = b.order(deadline.Soon(t), order{})
	expectError(t, err, flow.CodeUnavailable, "is busy")
	if _, err := release.WriteString(strings.Repeat("x", maxWorkers)); err != nil {
		t.Fatal(err)
	}
	for range maxWorkers {
		if err := <-results; err != nil {
			t.Error(err)
		}
	}
	b.mustOrder(t, order{})
	if n := len(b.functions[goARN].idle); n != maxWorkers {
		t.Errorf("%d workers are idle, want %d", n, maxWorkers)
	}
}

func TestEnvironment(t *testing.T) {
	t.Parallel()
	f := goFunction("function")
	maps.Copy(f.Environment, map[string]string{"ACCESS_FILE": "${DATA}/access.jsonl", "LANG": "de_DE.UTF-8"})
	b := open(t, map[string]Function{goARN: f})
	answer, err := b.order(t.Context(), order{Do: "environment"})
	if err != nil {
		t.Fatal(err)
	}
	var environ []string
	if err := json.Unmarshal(answer, &environ); err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, v := range environ {
		name, value, _ := strings.Cut(v, "=")
		got[name] = value
	}
	names := slices.Sorted(maps.Keys(got))
	want := []string{
		"ACCESS_FILE", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "AWS_LAMBDA_FUNCTION_NAME", "AWS_LAMBDA_FUNCTION_VERSION",
		"AWS_LAMBDA_LOG_GROUP_NAME", "AWS_LAMBDA_LOG_STREAM_NAME", "AWS_LAMBDA_RUNTIME_API",
		"HOME", role, "LAMBDA_TASK_ROOT", "LANG", "PATH", "TMPDIR", "TZ", "_HANDLER",
		"_X_AMZN_TRACE_ID", // set by the Go runtime library itself, from the invocation's header
	}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if strings.Contains(string(answer), ourSecret) {
		t.Error("a secret of ours is in the function's environment")
	}
	data, err := filepath.Abs(b.data)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"ACCESS_FILE": filepath.Join(data, "access.jsonl"), "LANG": "de_DE.UTF-8", "TZ": ":UTC", "_HANDLER": "bootstrap",
		"AWS_LAMBDA_FUNCTION_NAME": "go", "TMPDIR": got["HOME"],
	} {
		if got[name] != want {
			t.Errorf("%s is %q, want %q", name, got[name], want)
		}
	}
	if !strings.HasPrefix(got["HOME"], data) || got["HOME"] == os.Getenv("HOME") {
		t.Errorf("HOME is %s, want a directory of its own under %s", got["HOME"], data)
	}
}

func TestOutput(t *testing.T) {
	t.Parallel()
	b := openGo(t)
	b.outputGrace = deadline.LastResort
	if _, err := b.order(t.Context(), order{Do: "print", Text: "one\ntwo\r\n\n" + strings.Repeat("x", maxLine+5) + "\nlast"}); err != nil {
		t.Fatal(err)
	}
	if err := b.Close(); err != nil { // all output is in the log then
		t.Fatal(err)
	}
	var got []string
	for _, line := range b.log.lines(t) {
		if line["function"] != "go" || len(line["request_id"].(string)) != 36 {
			t.Errorf("a line does not say which invocation it is of: %v", line)
		}
		text := line["msg"].(string)
		if n, cut := line["dropped_bytes"]; cut {
			text = fmt.Sprintf("%d bytes and %v more", len(text), n)
		}
		got = append(got, text)
	}
	if diff := cmp.Diff([]string{"one", "two", "4096 bytes and 5 more", "last"}, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestClose(t *testing.T) {
	t.Parallel()
	for _, as := range []string{"function", "stubborn"} {
		t.Run(as, func(t *testing.T) {
			t.Parallel()
			b := open(t, map[string]Function{goARN: goFunction(as)})
			alive := fifo(t)
			started := make(chan struct{})
			gone := untilGone(alive, func() { close(started) })
			result := make(chan error)
			go func() {
				_, err := b.order(t.Context(), order{Do: "hang with a child", Alive: alive})
				result <- err
			}()
			<-started
			if err := b.Close(); err != nil {
				t.Error(err)
			}
			expectError(t, <-result, flow.CodeUnavailable, "shutting down")
			if err := <-gone; err != nil {
				t.Error(err)
			}
			_, err := b.order(t.Context(), order{})
			expectError(t, err, flow.CodeUnavailable, "shutting down")
			left, err := filepath.Glob(filepath.Join(b.data, "lambda", "tmp", "*"))
			if err != nil || len(left) > 0 {
				t.Errorf("left behind: %v, %v", left, err)
			}
			if err := b.Close(); err != nil {
				t.Errorf("closed twice: %v", err)
			}
		})
	}
}

func TestBuild(t *testing.T) {
	t.Parallel()
	dir, err := filepath.Abs("testdata/hello")
	if err != nil {
		t.Fatal(err)
	}
	b := open(t, map[string]Function{goARN: {Go: dir, Dir: dir, Timeout: defaultTimeout, MemoryMB: defaultMemoryMB}})
	answer, err := b.Invoke(t.Context(), goARN, []byte(`"world"`))
	if err != nil || string(answer) != `"hello world"` {
		t.Errorf("got %s, %v", answer, err)
	}
}

func TestBuildFails(t *testing.T) {
	t.Parallel()
	dir, err := filepath.Abs("testdata/broken")
	if err != nil {
		t.Fatal(err)
	}
	_, err = Open(t.Context(), Options{
		Config: Config{Functions: map[string]Function{goARN: {Go: dir, Dir: dir}}}, Data: t.TempDir(), Log: slog.New(slog.DiscardHandler),
	})
	for _, want := range []string{`function "go"`, "go build in " + dir, "undefined: undefined"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want an error about %q", err, want)
		}
	}
}

func TestFunctions(t *testing.T) {
	t.Parallel()
	workflowtest.Functions(t, func(t *testing.T) (workflow.Functions, workflowtest.Lambdas) {
		return open(t, map[string]Function{
			pythonARN: pythonFunction(t, "testdata/python/handlers.py", "handlers.echo"),
			goARN:     pythonFunction(t, "testdata/python/handlers.py", "handlers.fail"),
		}), workflowtest.Lambdas{Echo: pythonARN, Fails: goARN, Missing: otherARN}
	})
}
