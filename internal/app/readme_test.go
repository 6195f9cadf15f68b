package app

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/symflows/symflows/internal/flow"
)

// readmeRequest matches the request by API that README shows, and its parts: the
// address at which make run serves, the path and the body.
var readmeRequest = regexp.MustCompile(`(?s)curl -s (http://[^/]+)(/\S+) .*?-d '(\{.*?\})'`)

// TestReadme sends the request of README's first minutes to a product with the
// repository's own flows.
func TestReadme(t *testing.T) {
	t.Parallel()
	repository, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	readme, err := os.ReadFile(filepath.Join(repository, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	found := readmeRequest.FindStringSubmatch(string(readme))
	if found == nil || !strings.Contains(string(readme), "open "+found[1]) {
		t.Fatalf("README has no request to the address that make run serves: %q", found)
	}
	p := newProduct(t.TempDir(), repository)
	if err := p.start(options([]string{"flows=" + filepath.Join(repository, "flows")})); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.stop(); err != nil {
			t.Error(err)
		}
	})
	// The steps are those that the page and the console give.
	for _, step := range p.local.guide[:2] {
		for _, m := range regexp.MustCompile("`([^`]+)`|\\*(?:As )?([^*]+?),?\\*").FindAllStringSubmatch(step, -1) {
			if word := m[1] + m[2]; !strings.Contains(string(readme), "`"+word+"`") && !strings.Contains(string(readme), "**"+word+"**") {
				t.Errorf("README's first minutes don't speak of %s, as the guide does: %s", word, step)
			}
		}
	}
	token, err := os.ReadFile(p.path("data/token"))
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, p.url+found[2], strings.NewReader(found[3]))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+string(token))
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	var made struct {
		RunID string `json:"run_id"`
	}
	if err := json.Unmarshal(answer, &made); err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s (%v)", resp.Status, answer, err)
	}
	if err := p.settle(); err != nil {
		t.Fatal(err)
	}
	r, err := p.local.Runs.Get(t.Context(), made.RunID)
	if err != nil {
		t.Fatal(err)
	}
	if r.Status != flow.Requested || r.Flow != "prod-access" || r.Requester.Email != "alice@example.com" || r.Duration() != 30*time.Second {
		t.Errorf("README's request became a run that is %s, of %s, by %s, for %s", r.Status, r.Flow, r.Requester.Email, r.Duration())
	}
}
