package sdk

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/symflows/symflows/internal/flow"
)

// program writes a main.py.
func program(t *testing.T, text string) string {
	t.Helper()
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, "main.py"), []byte(text), 0o600))
	return dir
}

// TestPython runs the machine's interpreter.
func TestPython(t *testing.T) {
	t.Parallel()
	dir := program(t, `
import os, subprocess, sys
def handler(message, context):
    print("printed, and no part of the answer")
    if message["op"] == "fail":
        raise RuntimeError("it broke")
    if message["op"] == "leave":
        subprocess.Popen([sys.executable, "-c", "import time; time.sleep(5)"])
    return {"handlers": [message["source"]["name"]], "secret": os.environ.get("SYM_TEST_SECRET")}
`)
	got, err := Python{Dir: dir}.Invoke(t.Context(), "", []byte(`{"op":"describe","source":{"name":"impl.py"}}`))
	if err != nil || string(got) != `{"handlers": ["impl.py"], "secret": null}` {
		t.Errorf("got %s, %v", got, err)
	}
	got, err = Python{Dir: dir}.Invoke(t.Context(), "", []byte(`{"op":"leave","source":{"name":"impl.py"}}`))
	if err != nil || !strings.Contains(string(got), "impl.py") {
		t.Errorf("a process was left behind: %s, %v", got, err)
	}
	_, err = Python{Dir: dir}.Invoke(t.Context(), "", []byte(`{"op":"fail"}`))
	if flow.CodeOf(err) != flow.CodeHandler || !strings.Contains(err.Error(), "RuntimeError: it broke") {
		t.Errorf("got %v", err)
	}
	_, err = Python{Dir: dir, Interpreter: "python-that-is-not-there"}.Invoke(t.Context(), "", []byte(`{}`))
	if flow.CodeOf(err) != flow.CodeHandler || !strings.Contains(flow.UserMessage(err), "python-that-is-not-there can't be run") {
		t.Errorf("got %v", err)
	}
}

// Reading a source runs nothing of it, and finds what it defines.
func TestHereReads(t *testing.T) {
	t.Parallel()
	ran := filepath.Join(t.TempDir(), "ran")
	source := flow.NewSource("impl.py", `from sym.sdk.annotations import hook
open("`+ran+`", "w").close()
@hook
def on_request(event): ...
`)
	read := Here{Dir: "../../functions/sdk", Read: true, Bare: func(why error) { t.Errorf("who only reads was told %q", why) }}
	got, err := read.Describe(t.Context(), *source, "")
	if _, gone := os.Stat(ran); err != nil || len(got.Handlers) != 1 || got.Handlers[0] != "on_request" || gone == nil {
		t.Errorf("got %v, %v, and ran: %t", got, err, gone == nil)
	}
	_, err = read.Describe(t.Context(), *flow.NewSource("impl.py", "\ndef get_flows(user): ..."), "")
	if wrong, ok := errors.AsType[*flow.SourceError](err); !ok || wrong.Line != 2 || !strings.Contains(wrong.Message, "not decorated") {
		t.Errorf("got %v, want a fault in line 2", err)
	}
	got, err = Here{Dir: "../../functions/sdk"}.Describe(t.Context(), *source, "")
	if _, gone := os.Stat(ran); err != nil || len(got.Handlers) != 1 || gone != nil {
		t.Errorf("run: got %v, %v, %v", got, err, gone)
	}
}

// Where Python is only read later, what it defines when it runs must show.
func TestHerePlain(t *testing.T) {
	t.Parallel()
	plain := Here{Dir: "../../functions/sdk", Plain: true}
	const hook = "from sym.sdk.annotations import hook\n@hook\ndef on_request(event): ...\n"
	if got, err := plain.Describe(t.Context(), *flow.NewSource("impl.py", hook), ""); err != nil || len(got.Handlers) != 1 {
		t.Errorf("got %v, %v", got, err)
	}
	for python, want := range map[string]string{
		hook + "exec('@hook\\ndef on_deny(event): ...')\n":          "on_deny is defined only when the file runs",
		hook + "if not hook:\n  @hook\n  def on_deny(event): ...\n": "on_deny is in the text and not there once the file has run",
	} {
		_, err := plain.Describe(t.Context(), *flow.NewSource("impl.py", python), "")
		if wrong, ok := errors.AsType[*flow.SourceError](err); !ok || !strings.Contains(wrong.Message, want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

func TestFindPython(t *testing.T) {
	t.Parallel()
	dir := program(t, "")
	if got, err := FindPython(dir); err != nil || got != dir {
		t.Errorf("got %q, %v", got, err)
	}
	if _, err := FindPython(t.TempDir()); err == nil || !strings.Contains(err.Error(), "main.py") {
		t.Errorf("got %v", err)
	}
}
