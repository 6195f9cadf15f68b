// Package functions_test runs the functions as Lambda would: each is built, and
// is a process that speaks the Runtime API, in an AWS account whose services
// are fakes on this machine (see account). Nothing of the product is linked into
// the tests, but for the state machine, which is rendered from the step table, and
// what fakes of vendors need.
package functions_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"testing"
)

// functionNames are the folders that are functions in AWS.
var functionNames = []string{"access", "api", "approval", "config", "deliver", "drift", "notify", "publish", "relay", "report", "sdk", "services", "slack", "standing", "sweep", "tokens", "transparency"}

// deployed are the functions of an account: removal runs the code of access, in the
// role of access.
var deployed = append(slices.Clone(functionNames), "removal")

func folderOf(function string) string {
	if function == "removal" {
		return "access"
	}
	return function
}

// pythonFunction is the one that is not built.
const pythonFunction = "sdk"

// scratch is a directory of all tests together.
var scratch string

// atOnce is how many tests run at once: they wait most of their time, publish for
// the listings of DynamoDB alone.
const atOnce = 8

func TestMain(m *testing.M) {
	if err := flag.Set("test.parallel", strconv.Itoa(max(atOnce, runtime.GOMAXPROCS(0)))); err != nil {
		panic(err)
	}
	os.Exit(run(m))
}

func run(m *testing.M) int {
	var err error
	if scratch, err = os.MkdirTemp("", "functions-"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(scratch)
	defer endInterpreter()
	code := m.Run()
	if code == 0 && whole() {
		return rightsAreNeeded()
	}
	return code
}

// whole tells whether all tests have run.
func whole() bool {
	for _, name := range []string{"test.run", "test.skip", "test.list"} {
		if flag.Lookup(name).Value.String() != "" {
			return false
		}
	}
	return !testing.Short()
}

// rightsAreNeeded holds the reviewed list to what functions did: what is allowed
// is needed by one of them, in a test of this package.
func rightsAreNeeded() int {
	lines, err := unneeded()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	for _, line := range lines {
		fmt.Fprintln(os.Stderr, "no function needs this, or no test of this package has it do what it needs it for (TestSeldom could; or say in notAsked why none can):", line)
	}
	return min(len(lines), 1)
}

// bootstrap gives the path of a function as it is deployed, though for this machine.
func bootstrap(t testing.TB, name string) string {
	t.Helper()
	dir, err := binaries()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, name)
}

var binaries = sync.OnceValues(func() (string, error) {
	dir := filepath.Join(scratch, "bin") + string(filepath.Separator)
	var packages []string
	for _, name := range functionNames {
		if name != pythonFunction {
			packages = append(packages, "./"+name)
		}
	}
	return dir, build(dir, packages...)
})

// build compiles as infra does.
func build(output string, packages ...string) error {
	args := append([]string{"build", "-o", output, "-trimpath", "-ldflags=-s -w", "-tags", "lambda.norpc"}, packages...)
	cmd := exec.Command("go", args...)
	cmd.Env = append(cmd.Environ(), "CGO_ENABLED=0")
	var said bytes.Buffer
	cmd.Stderr = &said
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("go build: %w\n%s", err, &said)
	}
	return nil
}
