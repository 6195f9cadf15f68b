package functions_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
)

// interpreter is a process that runs executions of state machines; see
// testdata/states.mjs for the messages.
type interpreter struct {
	cmd    *exec.Cmd
	ending atomic.Bool

	mu         sync.Mutex
	in         *json.Encoder
	executions map[string]*execution // by ARN
	asked      map[int]chan succeeded
	lastID     int
}

type succeeded struct {
	ID      int  `json:"id"`
	Known   bool `json:"known"`
	Waiting bool `json:"waiting"`
}

type called struct {
	ID        int             `json:"id"`
	Execution string          `json:"execution"`
	Function  string          `json:"function"`
	Payload   json.RawMessage `json:"payload"`
}

var theInterpreter = sync.OnceValues(startInterpreter)

var interpreterStarted bool

func startInterpreter() (*interpreter, error) {
	if _, err := os.Stat(filepath.Join("..", "node_modules", "aws-local-stepfunctions")); err != nil {
		return nil, errors.New("the interpreter of state machines is not installed: run npm ci in the repository (make test does)")
	}
	cmd := exec.Command("node", filepath.Join("testdata", "states.mjs"))
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("node: %w", err)
	}
	interpreterStarted = true
	i := &interpreter{cmd: cmd, in: json.NewEncoder(in), executions: map[string]*execution{}, asked: map[int]chan succeeded{}}
	go i.listen(out)
	return i, nil
}

func endInterpreter() {
	if !interpreterStarted {
		return
	}
	if i, err := theInterpreter(); err == nil {
		i.ending.Store(true)
		_ = i.cmd.Process.Kill()
		_ = i.cmd.Wait() // says that it was killed
	}
}

// tell sends a message under its name.
func (i *interpreter) tell(name string, message any) {
	i.mu.Lock()
	defer i.mu.Unlock()
	_ = i.in.Encode(map[string]any{name: message}) // its end shows in what waits for it
}

func (i *interpreter) listen(out io.Reader) {
	lines := bufio.NewReader(out)
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			if !i.ending.Load() {
				panic("the interpreter has ended: " + err.Error()) // what waits for it would wait for ever
			}
			return
		}
		var said struct {
			Call      *called
			Succeeded *succeeded
			Entered   *struct{ Execution, State string }
			Ended     *struct{ Execution, Error string }
		}
		if err := json.Unmarshal(line, &said); err != nil {
			panic(fmt.Sprintf("the interpreter said %s: %v", line, err))
		}
		switch {
		case said.Call != nil:
			go i.serve(*said.Call)
		case said.Succeeded != nil:
			i.mu.Lock()
			i.asked[said.Succeeded.ID] <- *said.Succeeded
			delete(i.asked, said.Succeeded.ID)
			i.mu.Unlock()
		case said.Entered != nil:
			i.execution(said.Entered.Execution).enter(said.Entered.State)
		case said.Ended != nil:
			i.execution(said.Ended.Execution).end(said.Ended.Error)
		}
	}
}

func (i *interpreter) execution(arn string) *execution {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.executions[arn]
}

// serve invokes a function for an execution.
func (i *interpreter) serve(c called) {
	answer := map[string]any{"call": c.ID}
	payload, failed := i.execution(c.Execution).account.invoke(c.Function, c.Payload)
	if failed != nil {
		answer["error"], answer["message"] = failed.Type, failed.Message
	} else {
		answer["payload"] = json.RawMessage(payload)
	}
	i.tell("answer", answer)
}

// succeed gives a token back, and says what became of it.
func (i *interpreter) succeed(token string) succeeded {
	answer := make(chan succeeded, 1)
	i.mu.Lock()
	i.lastID++
	id := i.lastID
	i.asked[id] = answer
	i.mu.Unlock()
	i.tell("succeed", map[string]any{"id": id, "token": token})
	return <-answer
}

// interpret gives the interpreter of all tests.
func interpret(t testing.TB) *interpreter {
	t.Helper()
	i, err := theInterpreter()
	if err != nil {
		t.Fatal(err)
	}
	return i
}
