package app

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/symflows/symflows/internal/deadline"
	"github.com/symflows/symflows/internal/flow"
)

// Ctrl-C, and the end of a job, end the command and not the request. It says so, and how to
// end that, and never prints its token.
func TestClient_Signals(t *testing.T) {
	t.Parallel()
	p, token := withAgents(t)
	binary := filepath.Join(t.TempDir(), "symflows")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "./functions/client")
	build.Dir = p.source
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	target, err := url.Parse(p.url)
	if err != nil {
		t.Fatal(err)
	}
	looked := make(chan struct{}, 100)
	proxy := httputil.NewSingleHostReverseProxy(target)
	between := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		proxy.ServeHTTP(w, r)
		if r.Method == http.MethodGet && strings.HasPrefix(r.URL.Path, "/api/v1/runs/") {
			looked <- struct{}{}
		}
	}))
	defer between.Close()
	for signal, key := range map[syscall.Signal]string{syscall.SIGINT: "one", syscall.SIGTERM: "two"} {
		cmd := exec.CommandContext(t.Context(), binary, "request", "-flow", "prod-access", "-target", "orders-db", "-duration", "10m", "-purpose", "x", "-key", key, "-wait")
		var out, errors bytes.Buffer
		cmd.Env, cmd.Stdout, cmd.Stderr = []string{"SYM_API_URL=" + between.URL, "SYM_JWT=" + token}, &out, &errors
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		select {
		case <-looked:
		case <-time.After(deadline.LastResort):
			t.Fatal("it does not look after the request")
		}
		if err := cmd.Process.Signal(signal); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait()
		id := uuidPattern.FindString(out.String())
		if status := cmd.ProcessState.ExitCode(); status != 130 || !regexp.MustCompile(`interrupted: run `+id+` goes on without this command .*symflows end `+id).MatchString(errors.String()) {
			t.Errorf("after %s it ends with %d and says %s", signal, status, errors.String())
		}
		if strings.Contains(out.String()+errors.String(), token) {
			t.Error("it prints the token")
		}
		if status := p.status(t, id); status != flow.Requested {
			t.Errorf("after %s the run is %s", signal, status)
		}
	}
}

// The exit statuses that the guide lists are those that the script client has seen, and
// there are no others.
func TestClient_ExitStatuses(t *testing.T) {
	t.Parallel()
	guide := readFile(t, "../../docs/examples/pipelines/README.md")
	script := readFile(t, "testdata/script/client.txt")
	listed := map[string]bool{}
	for _, row := range regexp.MustCompile(`(?m)^\| (\d+) \| `).FindAllStringSubmatch(guide, -1) {
		listed[row[1]] = true
	}
	seen := map[string]bool{}
	for _, status := range regexp.MustCompile(`exit status (\d+)`).FindAllStringSubmatch(script, -1) {
		seen[status[1]] = true
	}
	for status := range listed {
		if !seen[status] {
			t.Errorf("the script never ends with the status %s", status)
		}
	}
	for status := range seen {
		if !listed[status] {
			t.Errorf("the guide does not have the status %s", status)
		}
	}
	if len(listed) != 9 {
		t.Errorf("the guide has %d statuses", len(listed))
	}
}
