package app_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// nosy has a file that looks for a secret when it is imported, and again when
// its handler runs: in the environment of every process that it sees.
const nosy = `
import glob
from sym.sdk.annotations import hook
from sym.sdk.templates import ApprovalTemplate

def look():
    seen = []
    for environ in glob.glob("/proc/[0-9]*/environ"):
        try:
            with open(environ, "rb") as file:
                seen += [v.decode() for v in file.read().split(b"\0") if v.startswith(b"SECRET_OF_THE_SHELL=")]
        except OSError:
            pass
    return " ".join(seen) or "nothing"

at_import = look()
open(IMPORTED, "w").close()
if at_import != "nothing":
    raise RuntimeError("saw " + at_import)

@hook
def on_request(event):
    return ApprovalTemplate.ignore(message="saw " + look())
`

const nosyFlow = `
kind: environment
name: main
admins: [bob@example.com]
---
kind: flow
name: nosy
environment_id: main
implementation: impl.py
params:
  prompt_fields: [{name: reason, type: string}]
  approval:
    approvers: ["user:bob@example.com"]
    notify: [{channel: "#access"}]
`

// ran is what the command, run by a shell that has a secret, wrote, and whether
// a file of Python was run by it.
type ran struct {
	out      string
	imported bool
}

// byShell runs the command as a job would. Without namespaces, it does so
// where the kernel gives none; absent says that this machine can't even do that.
func byShell(t *testing.T, binary string, without bool, command string) (r ran, absent bool) {
	t.Helper()
	dir := t.TempDir()
	imported := filepath.Join(dir, "imported")
	python, err := filepath.Abs("../../functions/sdk")
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"flows.yaml": nosyFlow, "impl.py": strings.ReplaceAll(nosy, "IMPORTED", `"`+imported+`"`),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	script := command + ` -flows "$1" -sdk "$2"`
	cmd := exec.Command("sh", "-c", script, binary, dir, python)
	if without {
		cmd.Args[2] = "echo 0 > /proc/sys/user/max_user_namespaces; " + script
		cmd.SysProcAttr = &syscall.SysProcAttr{
			Cloneflags:  syscall.CLONE_NEWUSER,
			UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Geteuid(), Size: 1}},
			GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getegid(), Size: 1}},
		}
	}
	out, err := cmd.CombinedOutput()
	if _, failed := errors.AsType[*exec.ExitError](err); err != nil && !failed && without {
		return ran{}, true
	}
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	_, err = os.Stat(imported)
	return ran{string(out), err == nil}, false
}

// inShell has the secret in the shell's environment, which stays; alone has it
// in that of the command alone.
const (
	inShell = `export SECRET_OF_THE_SHELL=sesame; sh -c '"$@"; true' sh "$0" `
	alone   = `SECRET_OF_THE_SHELL=sesame exec "$0" `
)

const unprotected = "nothing protects this machine from the Python that was run"

// The first lines of a file that somebody proposes can't read what is in the
// environment of the job that checks it, or check says that they can.
func TestCheckProtectsItsShell(t *testing.T) {
	t.Parallel()
	binary := build(t)
	for _, without := range []bool{false, true} {
		got, absent := byShell(t, binary, without, inShell+"check")
		switch {
		case absent:
			t.Log("this machine gives no namespaces at all, so the first try was without")
			continue
		case without && !strings.Contains(got.out, unprotected):
			t.Errorf("without namespaces, check does not say so:\n%s", got.out)
		case !strings.Contains(got.out, unprotected) && (strings.Contains(got.out, "sesame") || !strings.Contains(got.out, "no faults")):
			t.Errorf("check saw the secret of its shell, and did not warn of it:\n%s", got.out)
		}
		if !got.imported {
			t.Errorf("the file never ran:\n%s", got.out)
		}
	}
}

// check -static runs nothing, whatever the kernel gives, and so has nothing to warn of.
func TestStaticCheckRunsNothing(t *testing.T) {
	t.Parallel()
	binary := build(t)
	for _, without := range []bool{false, true} {
		got, absent := byShell(t, binary, without, inShell+"check -static")
		if absent {
			continue
		}
		if got.imported || strings.Contains(got.out, unprotected) || !strings.Contains(got.out, "no faults") {
			t.Errorf("imported: %t\n%s", got.imported, got.out)
		}
	}
}

// A handler that runs here can't read the secrets that we were started with,
// namespaces or not.
func TestHandlersDontSeeOurSecrets(t *testing.T) {
	t.Parallel()
	binary := build(t)
	for _, without := range []bool{false, true} {
		got, absent := byShell(t, binary, without, alone+`try -flow nosy -as alice@example.com -fields '{"reason":"x"}'`)
		if !absent && !strings.Contains(got.out, "is told: saw nothing") {
			t.Errorf("the handler saw more than nothing:\n%s", got.out)
		}
	}
}
