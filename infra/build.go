package main

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// build compiles all functions of the repository at root as Lambda wants them,
// into a new folder with one for each function. The same source gives the same
// binaries on every machine, so that what did not change is not deployed. Command
// pip installs what handlers may import. If it fails, so does build: a deploy that
// finds no index must not take packages from handlers that had them. With the option
// withoutRequests it is not called.
func build(root string, o options, pip []string) (dir string, err error) {
	dir, err = os.MkdirTemp("", "symflows-functions-")
	if err != nil {
		return "", err
	}
	defer func() {
		if err != nil {
			os.RemoveAll(dir)
		}
	}()
	args := []string{"build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-tags=lambda.norpc", "-o", dir + string(filepath.Separator)}
	for _, name := range goFunctions() {
		args = append(args, "./functions/"+name)
	}
	command := exec.Command("go", args...)
	command.Dir = root
	command.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+o.architecture.goarch)
	if out, err := command.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the functions: %w\n%s", err, strings.TrimSpace(string(out)))
	}
	for _, name := range goFunctions() { // a binary becomes a folder that holds it
		if err := os.Mkdir(code(dir, name), 0o755); err != nil {
			return "", err
		}
		if err := os.Rename(filepath.Join(dir, name), filepath.Join(code(dir, name), "bootstrap")); err != nil {
			return "", err
		}
	}
	if err := buildPython(root, code(dir, pythonFunction)); err != nil {
		return "", fmt.Errorf("build the function %s: %w", pythonFunction, err)
	}
	if o.withoutRequests {
		return dir, nil
	}
	if err := addRequirements(filepath.Join(root, "functions", pythonFunction, "requirements.txt"), code(dir, pythonFunction), o.architecture, pip); err != nil {
		return "", fmt.Errorf("install what handlers may import (functions/%s/requirements.txt): %w\n"+
			"Let pip reach an index (PIP_INDEX_URL names one of your own), or have handlers go without requests, with Python's standard library and boto3 only: -c withoutRequests=true", pythonFunction, err)
	}
	return dir, nil
}

func goFunctions() []string {
	return slices.DeleteFunc(slices.Clone(functionNames), func(name string) bool { return name == pythonFunction })
}

// pythonParts are the parts that run in Lambda, without tests and tools.
var pythonParts = []string{"main.py", "runner", "sym"}

// buildPython copies the function that runs handlers to a new folder.
func buildPython(root, to string) error {
	from := filepath.Join(root, "functions", pythonFunction)
	for _, part := range pythonParts {
		err := filepath.WalkDir(filepath.Join(from, part), func(path string, e fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			if e.Name() == "__pycache__" {
				return fs.SkipDir
			}
			name, err := filepath.Rel(from, path)
			if err != nil || e.IsDir() {
				return err
			}
			text, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			file := filepath.Join(to, name)
			if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
				return err
			}
			return os.WriteFile(file, text, 0o644)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// pip is the command that installs Python packages from an index.
var pip = []string{"python3", "-m", "pip"}

// addRequirements installs packages beside the code in a folder, in the form that
// Lambda needs, which may differ from that of this machine. If it fails, it leaves
// none of them there.
func addRequirements(requirements, to string, a architecture, pip []string) error {
	dir, err := os.MkdirTemp(filepath.Dir(to), "requirements-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	machine := map[string]string{"arm64": "aarch64", "x86_64": "x86_64"}[a.lambda]
	command := exec.Command(pip[0], append(pip[1:len(pip):len(pip)],
		"install", "--quiet", "--disable-pip-version-check", "--no-color", "--no-input", "--retries=1", "--timeout=10",
		"--no-deps", "--only-binary=:all:", "--no-compile", // all versions are in the file, and nothing is built here
		"--require-hashes", // nor does an index decide what is in them
		"--python-version="+strings.TrimPrefix(pythonRuntime, "python"), "--implementation=cp", "--platform=manylinux2014_"+machine,
		"--requirement="+requirements, "--target="+dir)...)
	if out, err := command.CombinedOutput(); err != nil {
		lines := strings.Split(strings.TrimSpace(string(out)), "\n")
		reason := lines[len(lines)-1]
		for _, line := range lines {
			if strings.HasPrefix(line, "ERROR:") { // what follows are details, such as the hash that it got
				reason = line
			}
		}
		return fmt.Errorf("pip install: %w: %s", err, reason)
	}
	// Commands and lists of installed files have paths of this machine.
	if err := os.RemoveAll(filepath.Join(dir, "bin")); err != nil {
		return err
	}
	lists, err := filepath.Glob(filepath.Join(dir, "*.dist-info", "RECORD"))
	if err != nil {
		return err
	}
	for _, list := range lists {
		if err := os.Remove(list); err != nil {
			return err
		}
	}
	return os.CopyFS(to, os.DirFS(dir))
}

// code gives the folder in which build puts a function.
func code(built, name string) string { return filepath.Join(built, name+".lambda") }
