package lambdahost

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// write puts a local.yaml beside what its paths may lead to.
func write(t *testing.T, text string) (dir, path string) {
	t.Helper()
	dir = t.TempDir()
	for _, name := range []string{"report/report.py", "grant/main.go", "secret"} {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte("text\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	path = filepath.Join(dir, "local.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir, path
}

func TestLoad(t *testing.T) {
	t.Parallel()
	dir, path := write(t, `
functions:
  arn:aws:lambda:us-east-1:123456789012:function:grant:
    go: ./grant
    environment: &common {ACCESS_FILE: "${DATA}/access.jsonl", PORT: 8080}
  arn:aws:lambda:us-east-1:123456789012:function:report:
    python: {file: report/report.py, handler: report.handler, interpreter: ./venv/bin/python}
    environment: *common
    timeout: 2m
    memory: 256
  arn:aws:lambda:us-east-1:123456789012:function:other:live:
    command: [./bootstrap, ./as-it-is]
    handler: other
    dir: grant
  arn:aws:lambda:us-east-1:123456789012:function:path:
    command: [ruby, main.rb]
secrets:
  /sym/main/signing: {env: SIGNING_SECRET}
  /sym/main/okta: {file: secret}
`)
	got, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	environment := map[string]string{"ACCESS_FILE": "${DATA}/access.jsonl", "PORT": "8080"}
	want := Config{
		Functions: map[string]Function{
			"arn:aws:lambda:us-east-1:123456789012:function:grant": {
				Go: dir + "/grant", Dir: dir + "/grant", Environment: environment, Timeout: 30 * time.Second, MemoryMB: 1024,
			},
			"arn:aws:lambda:us-east-1:123456789012:function:report": {
				Python: &Python{File: dir + "/report/report.py", Handler: "report.handler", Interpreter: dir + "/venv/bin/python"},
				Dir:    dir + "/report", Environment: environment, Timeout: 2 * time.Minute, MemoryMB: 256,
			},
			"arn:aws:lambda:us-east-1:123456789012:function:other:live": {
				Command: []string{dir + "/bootstrap", "./as-it-is"}, Handler: "other", Dir: dir + "/grant", Timeout: 30 * time.Second, MemoryMB: 1024,
			},
			"arn:aws:lambda:us-east-1:123456789012:function:path": {
				Command: []string{"ruby", "main.rb"}, Dir: dir, Timeout: 30 * time.Second, MemoryMB: 1024,
			},
		},
		Secrets: Secrets{"/sym/main/signing": {Env: "SIGNING_SECRET"}, "/sym/main/okta": {File: dir + "/secret"}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestLoadEmpty(t *testing.T) {
	t.Parallel()
	_, path := write(t, "# nothing yet\n")
	if c, err := Load(path); err != nil || len(c.Functions)+len(c.Secrets) > 0 {
		t.Errorf("got %v, %v; want nothing", c, err)
	}
	if _, err := Load(filepath.Join(t.TempDir(), "local.yaml")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v, want fs.ErrNotExist", err)
	}
}

func TestLoadFaults(t *testing.T) {
	t.Parallel()
	_, path := write(t, `functions:
  grant-database:
    go: ./grant
  arn:aws:lambda:us-east-1:123456789012:function:a:
    go: ./missing
    python: {file: report/report.py, handler: report.handler}
    colour: blue
  arn:aws:lambda:us-east-1:123456789012:function:b:
    timeout: 30
    memory: 64
  arn:aws:lambda:us-east-1:123456789012:function:c:
    python: {file: report/report.py, handler: other.handler}
    handler: other
    dir: secret
    environment:
      AWS_LAMBDA_FUNCTION_NAME: x
      _HANDLER: x
      a-b: x
      HOME_DIR: ${HOME}
      EMPTY:
  arn:aws:lambda:us-east-1:123456789012:function:d:
    command: ./bootstrap
    timeout: 16m
  arn:aws:lambda:us-east-1:123456789012:function:d:
    command: [ruby]
  arn:aws:lambda:us-east-1:123456789012:function:e:
    python: {file: report}
  arn:aws:lambda:us-east-1:123456789012:function:f: ruby
secrets:
  /sym/a: {env: A, file: secret}
  /sym/b: {}
  /sym/c: {file: ./absent}
flows: []
`)
	_, err := Load(path)
	if err == nil {
		t.Fatal("no fault was found")
	}
	var got []string
	for line := range strings.Lines(err.Error()) {
		_, line, _ = strings.Cut(strings.TrimSpace(line), "local.yaml:")
		got = append(got, strings.NewReplacer("arn:aws:lambda:us-east-1:123456789012:function:", "", filepath.Dir(path), ".").Replace(line))
	}
	want := []string{
		`2: functions: "grant-database" is not the ARN of a Lambda function: write it as name`,
		`5: functions.a.go: there is no ./missing`,
		`7: functions.a: unknown key "colour": there are command, dir, environment, go, handler, memory, python, timeout`,
		`5: functions.a: must have exactly one of go, python and command: it has 2`,
		`9: functions.b.timeout: must be a duration of at most 15m, like 30s`,
		`10: functions.b.memory: must be a number of MB from 128 to 10240`,
		`9: functions.b: must have exactly one of go, python and command: it has 0`,
		`12: functions.c.python.handler: "other.handler" must be report and the name of a function in it, like report.handler`,
		`14: functions.c.dir: ./secret is no directory`,
		`16: functions.c.environment: "AWS_LAMBDA_FUNCTION_NAME" is Lambda's own and can't be set`,
		`17: functions.c.environment: "_HANDLER" is Lambda's own and can't be set`,
		`18: functions.c.environment: "a-b" is no name of a variable: it may have letters, digits and _`,
		`19: functions.c.environment.HOME_DIR: ${HOME} is not replaced: only ${DATA} is, by the data directory`,
		`20: functions.c.environment.EMPTY: must be a text`,
		`12: functions.c.handler: is for a command only; a python handler is given as python.handler`,
		`22: functions.d.command: must be a list of a program and its arguments, like [./bootstrap]`,
		`23: functions.d.timeout: must be a duration of at most 15m, like 30s`,
		`24: functions: "d" is given twice, first in line 21`,
		`27: functions.e.python.file: ./report is a directory: give a file in it`,
		`27: functions.e.python: must have a file and a handler`,
		`28: functions.f: must be a mapping of names to values`,
		`28: functions.f: must have exactly one of go, python and command: it has 0`,
		`30: secrets./sym/a: must have either env, the name of a variable, or file, a path`,
		`31: secrets./sym/b: must have either env, the name of a variable, or file, a path`,
		`32: secrets./sym/c.file: there is no ./absent`,
		`33: unknown key "flows": there are functions, secrets`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestLoadNoYAML(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"functions: [", "- a\n- b\n", "functions"} {
		_, path := write(t, text)
		if _, err := Load(path); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%q: got %v, want an error that names the file", text, err)
		}
	}
}
