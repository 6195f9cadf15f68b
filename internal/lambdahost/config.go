package lambdahost

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/symflows/symflows/internal/flow"
)

// Config is a local.yaml: what stands for AWS on this machine.
type Config struct {
	Functions map[string]Function // by ARN
	Secrets   Secrets
}

// Function says how to run a function: by exactly one of Command, Go and
// Python. All paths are absolute.
type Function struct {
	// Command is a program that speaks the Runtime API, and its arguments.
	Command []string
	// Handler is what the program finds in _HANDLER.
	Handler string
	// Go is the directory of a main package, which is built when a Host opens.
	Go string
	// Python is a handler for our bootstrap.
	Python *Python
	// Dir is the working directory.
	Dir string
	// Environment is added to the few variables that every function has.
	// ${DATA} in a value stands for the data directory.
	Environment map[string]string
	// Timeout bounds an invocation, the start of the process included.
	Timeout time.Duration
	// MemoryMB bounds what a process of the function may allocate, in MiB.
	MemoryMB int
}

// Python is a handler written in Python.
type Python struct {
	File        string // that has the handler
	Handler     string // module.function, as in AWS; the module is File's
	Interpreter string // python3, unless a virtual environment's is given
}

// What holds where local.yaml says nothing, and Lambda's limits
// (https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html).
const (
	defaultTimeout  = 30 * time.Second
	maxTimeout      = 15 * time.Minute
	defaultMemoryMB = 1024
	minMemoryMB     = 128
	maxMemoryMB     = 10240
)

// Load reads a local.yaml:
//
//	functions:
//	  <arn>:
//	    # one of these three:
//	    go: ./functions/grant-database       # a main package that calls lambda.Start
//	    python: {file: ./functions/report/report.py, handler: report.handler}
//	    command: [./bootstrap, --verbose]    # any program that speaks the Runtime API
//	    # and if need be:
//	    handler: name           # _HANDLER of a command
//	    dir: ./functions        # working directory; default: where the code is
//	    environment: {ACCESS_FILE: "${DATA}/access.jsonl"}
//	    timeout: 30s            # at most 15m
//	    memory: 1024            # MB
//	secrets:
//	  <path>: {env: NAME}       # of our environment
//	  <path>: {file: ./secret}  # without its last line break
//
// Paths are relative to the file's own directory. The error tells of all
// faults at once, each on a line with its place.
func Load(path string) (Config, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return Config{}, fmt.Errorf("read the functions of this machine: %w", err)
	}
	dir, err := filepath.Abs(filepath.Dir(path))
	if err != nil {
		return Config{}, fmt.Errorf("find the directory of %s: %w", path, err)
	}
	var document yaml.Node
	if err := yaml.Unmarshal(text, &document); err != nil {
		return Config{}, fmt.Errorf("%s: %w", path, err)
	}
	c := Config{Functions: map[string]Function{}, Secrets: Secrets{}}
	r := reader{path: path, dir: dir}
	if len(document.Content) > 0 {
		r.fields(document.Content[0], "", map[string]func(*yaml.Node){
			"functions": func(n *yaml.Node) {
				r.entries(n, "functions", func(arn, value *yaml.Node) {
					if err := flow.CheckFunctionARN(arn.Value); err != nil {
						r.fault(arn, "functions: %s", flow.UserMessage(err))
					}
					c.Functions[arn.Value] = r.function(value, "functions."+arn.Value)
				})
			},
			"secrets": func(n *yaml.Node) {
				r.entries(n, "secrets", func(path, value *yaml.Node) {
					c.Secrets[path.Value] = r.secret(value, "secrets."+path.Value)
				})
			},
		})
	}
	return c, errors.Join(r.faults...)
}

// Save keeps a configuration in a file, as it is now: [Restore] gives it back.
func (c Config) Save(file string) error {
	text, err := json.Marshal(c)
	if err != nil {
		return fmt.Errorf("keep the functions of this machine: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return fmt.Errorf("keep the functions of this machine: %w", err)
	}
	// Whole or not at all: a process may be killed at any moment.
	err = os.WriteFile(file+".new", text, 0o600)
	if err == nil {
		err = os.Rename(file+".new", file)
	}
	if err != nil {
		return fmt.Errorf("keep the functions of this machine: %w", err)
	}
	return nil
}

// Restore reads what Save kept. The error is os.ErrNotExist if nothing was.
func Restore(file string) (Config, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return Config{}, fmt.Errorf("read the functions of this machine as they were: %w", err)
	}
	var c Config
	if err := json.Unmarshal(text, &c); err != nil {
		return Config{}, fmt.Errorf("read the functions of this machine as they were, in %s: %w", file, err)
	}
	return c, nil
}

// reader turns YAML into a Config and collects all that is wrong with it.
type reader struct {
	path, dir string
	faults    []error
}

func (r *reader) fault(n *yaml.Node, format string, args ...any) {
	r.faults = append(r.faults, fmt.Errorf("%s:%d: %s", r.path, n.Line, fmt.Sprintf(format, args...)))
}

// entries reads a mapping whose keys are names of the user's choice.
func (r *reader) entries(n *yaml.Node, at string, entry func(key, value *yaml.Node)) {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if n.Kind != yaml.MappingNode {
		r.fault(n, "%smust be a mapping of names to values", prefix(at))
		return
	}
	seen := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		if line, twice := seen[key.Value]; twice {
			r.fault(key, "%s%q is given twice, first in line %d", prefix(at), key.Value, line)
			continue
		}
		seen[key.Value] = key.Line
		entry(key, n.Content[i+1])
	}
}

// fields reads a mapping whose keys are ours.
func (r *reader) fields(n *yaml.Node, at string, known map[string]func(*yaml.Node)) {
	r.entries(n, at, func(key, value *yaml.Node) {
		read, ok := known[key.Value]
		if !ok {
			r.fault(key, "%sunknown key %q: there are %s", prefix(at), key.Value, strings.Join(slices.Sorted(maps.Keys(known)), ", "))
			return
		}
		read(value)
	})
}

func prefix(at string) string {
	if at == "" {
		return ""
	}
	return at + ": "
}

// text reads a value that is not empty.
func (r *reader) text(n *yaml.Node, at string) string {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if n.Kind != yaml.ScalarNode || n.Tag == "!!null" || n.Value == "" {
		r.fault(n, "%s: must be a text", at)
		return ""
	}
	return n.Value
}

// file reads a path, and reports a fault unless there is a file at it, or a
// directory if that is asked for.
func (r *reader) file(n *yaml.Node, at string, directory bool) string {
	path := r.text(n, at)
	if path == "" {
		return ""
	}
	path = r.absolute(path)
	switch info, err := os.Stat(path); {
	case err != nil:
		r.fault(n, "%s: there is no %s", at, path)
	case info.IsDir() && !directory:
		r.fault(n, "%s: %s is a directory: give a file in it", at, path)
	case !info.IsDir() && directory:
		r.fault(n, "%s: %s is no directory", at, path)
	}
	return path
}

func (r *reader) absolute(path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(r.dir, path)
}

func (r *reader) function(n *yaml.Node, at string) Function {
	f := Function{Timeout: defaultTimeout, MemoryMB: defaultMemoryMB}
	ways := 0
	r.fields(n, at, map[string]func(*yaml.Node){
		"go": func(n *yaml.Node) {
			ways++
			f.Go = r.file(n, at+".go", true)
		},
		"python": func(n *yaml.Node) {
			ways++
			f.Python = r.python(n, at+".python")
		},
		"command": func(n *yaml.Node) {
			ways++
			f.Command = r.command(n, at+".command")
		},
		"handler":     func(n *yaml.Node) { f.Handler = r.text(n, at+".handler") },
		"dir":         func(n *yaml.Node) { f.Dir = r.file(n, at+".dir", true) },
		"environment": func(n *yaml.Node) { f.Environment = r.environment(n, at+".environment") },
		"timeout":     func(n *yaml.Node) { f.Timeout = r.timeout(n, at+".timeout") },
		"memory":      func(n *yaml.Node) { f.MemoryMB = r.memory(n, at+".memory") },
	})
	if ways != 1 {
		r.fault(n, "%s: must have exactly one of go, python and command: it has %d", at, ways)
	}
	if f.Handler != "" && f.Command == nil {
		r.fault(n, "%s.handler: is for a command only; a python handler is given as python.handler", at)
	}
	if f.Dir == "" {
		f.Dir = r.dir
		if f.Go != "" {
			f.Dir = f.Go
		} else if f.Python != nil && f.Python.File != "" {
			f.Dir = filepath.Dir(f.Python.File)
		}
	}
	return f
}

func (r *reader) python(n *yaml.Node, at string) *Python {
	p := &Python{Interpreter: "python3"}
	r.fields(n, at, map[string]func(*yaml.Node){
		"file":        func(n *yaml.Node) { p.File = r.file(n, at+".file", false) },
		"handler":     func(n *yaml.Node) { p.Handler = r.text(n, at+".handler") },
		"interpreter": func(n *yaml.Node) { p.Interpreter = r.program(r.text(n, at+".interpreter")) },
	})
	module := strings.TrimSuffix(filepath.Base(p.File), ".py")
	switch name, ok := strings.CutPrefix(p.Handler, module+"."); {
	case p.File == "" || p.Handler == "":
		r.fault(n, "%s: must have a file and a handler", at)
	case !ok || name == "" || strings.Contains(name, "."):
		r.fault(n, "%s.handler: %q must be %s and the name of a function in it, like %s.handler", at, p.Handler, module, module)
	}
	return p
}

func (r *reader) command(n *yaml.Node, at string) []string {
	if n.Kind != yaml.SequenceNode || len(n.Content) == 0 {
		r.fault(n, "%s: must be a list of a program and its arguments, like [./bootstrap]", at)
		return nil
	}
	var command []string
	for i, item := range n.Content {
		command = append(command, r.text(item, fmt.Sprintf("%s[%d]", at, i)))
	}
	command[0] = r.program(command[0])
	return command
}

// program leaves the names of programs in PATH as they are.
func (r *reader) program(name string) string {
	if !strings.ContainsRune(name, filepath.Separator) {
		return name
	}
	return r.absolute(name)
}

var (
	variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
	expansion    = regexp.MustCompile(`\$\{[^}]*\}?`)
)

// dataVariable is what stands for the data directory in environment values.
const dataVariable = "${DATA}"

func (r *reader) environment(n *yaml.Node, at string) map[string]string {
	environment := map[string]string{}
	r.entries(n, at, func(key, value *yaml.Node) {
		name := key.Value
		switch {
		case !variableName.MatchString(name):
			r.fault(key, "%s: %q is no name of a variable: it may have letters, digits and _", at, name)
		case strings.HasPrefix(name, "AWS_LAMBDA_"), name == "_HANDLER", name == "LAMBDA_TASK_ROOT":
			r.fault(key, "%s: %q is Lambda's own and can't be set", at, name)
		}
		if value.Kind != yaml.ScalarNode || value.Tag == "!!null" {
			r.fault(value, "%s.%s: must be a text", at, name)
			return
		}
		for _, found := range expansion.FindAllString(value.Value, -1) {
			if found != dataVariable {
				r.fault(value, "%s.%s: %s is not replaced: only %s is, by the data directory", at, name, found, dataVariable)
			}
		}
		environment[name] = value.Value
	})
	return environment
}

func (r *reader) timeout(n *yaml.Node, at string) time.Duration {
	d, err := time.ParseDuration(n.Value)
	if err != nil || d <= 0 || d > maxTimeout {
		r.fault(n, "%s: must be a duration of at most 15m, like 30s", at)
		return defaultTimeout
	}
	return d
}

func (r *reader) memory(n *yaml.Node, at string) int {
	mb, err := strconv.Atoi(n.Value)
	if err != nil || mb < minMemoryMB || mb > maxMemoryMB {
		r.fault(n, "%s: must be a number of MB from %d to %d", at, minMemoryMB, maxMemoryMB)
		return defaultMemoryMB
	}
	return mb
}

func (r *reader) secret(n *yaml.Node, at string) Secret {
	var s Secret
	r.fields(n, at, map[string]func(*yaml.Node){
		"env":  func(n *yaml.Node) { s.Env = r.text(n, at+".env") },
		"file": func(n *yaml.Node) { s.File = r.file(n, at+".file", false) },
	})
	if (s.Env == "") == (s.File == "") {
		r.fault(n, "%s: must have either env, the name of a variable, or file, a path", at)
	}
	return s
}
