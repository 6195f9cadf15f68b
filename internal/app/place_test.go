package app

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/symflows/symflows/internal/entity"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
)

// TestPlace_AWS: commands beside a deployment in AWS find it by what the deploy has
// written, and show and change what is in its table.
func TestPlace_AWS(t *testing.T) {
	inAWS(t)
	e := newErasing(t)
	month := e.asked.Format("2006-01")
	for _, tc := range []struct {
		command, want string
	}{
		{"report -month " + month, "2 requests"},
		{"report -month " + month + " -json", "aws s3 sync s3://records records"},
		{"report -month " + month + " -json", "-outputs " + e.outputs},
		{"report -month " + month + " -html", "s3://log -lines s3://records"},
		{"runs -status denied", "bob@example.com"},
		{"runs -approver alice@example.com", "bob@example.com"},
		{"drift", "nothing was compared yet"},
		{"destinations", "there is no log destination"},
	} {
		if out, err := e.local(strings.Fields(tc.command)...); err != nil || !strings.Contains(out, tc.want) {
			t.Errorf("%s lacks %q: %v\n%.400s", tc.command, tc.want, err, out)
		}
	}

	list := store.Destinations{Store: e.db}
	author := flow.Author{By: flow.Operator, At: e.asked}
	if err := list.Publish(t.Context(), author, entity.Files, []flow.LogDestination{{Name: "siem", Type: "http"}}, 7); err != nil {
		t.Fatal(err)
	}
	if out, err := e.local("destinations", "replay", "siem", "-from", "3"); err != nil || !strings.Contains(out, "siem is sent the records from 3 on again") {
		t.Errorf("replay: %v\n%s", err, out)
	}
	if c, err := list.Cursor(t.Context(), flow.LogDestination{Name: "siem", Type: "http"}); err != nil || c.Next != 3 {
		t.Errorf("it goes on from %d, %v", c.Next, err)
	}
	item, err := e.db.Get(t.Context(), store.KindCursor.Key("http/siem"))
	if err != nil {
		t.Fatal(err)
	}
	acts, err := store.Acts{Store: e.db, Now: time.Now}.Of(t.Context(), item.Key, item.Rev)
	if err != nil || len(acts) != 1 || acts[0].Name != flow.ActReplay || acts[0].By.Kind != flow.PrincipalAWS {
		t.Errorf("recorded is %+v, %v", acts, err)
	}
	if out, err := e.local("destinations"); err != nil || !strings.Contains(out, "siem  http  3") {
		t.Errorf("listed are: %v\n%s", err, out)
	}
	for command, want := range map[string]string{
		"destinations replay sea -from 0":  "there is no log destination",
		"destinations replay siem -from 8": "it can be sent again from one of 0 to 3",
		"drift -now":                       "invoke the function drift",
		"user list":                        "ApiUrl", // which these outputs lack
		"token list":                       "ApiUrl",
	} {
		if out, err := e.local(strings.Fields(command)...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q\n%s", command, err, want, out)
		}
	}

	older := filepath.Join(t.TempDir(), "outputs.json")
	text, err := json.Marshal(map[string]map[string]string{"sym-flows": {"TableName": "sym-flows"}})
	if err == nil {
		err = os.WriteFile(older, text, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := runLocal(t, "report", "-outputs", older); err == nil || !strings.Contains(err.Error(), "deploy this release first") {
		t.Errorf("an older deployment: %v", err)
	}
}
