package clients

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/sdk"
	"github.com/symflows/symflows/internal/strategy"
	"github.com/symflows/symflows/internal/strategy/builtin"
)

// TestLists: what is declared has a client, and the other way round.
func TestLists(t *testing.T) {
	t.Parallel()
	declared, there := slices.Sorted(maps.Keys(builtin.Types())), slices.Sorted(maps.Keys(openers))
	if !slices.Equal(declared, there) {
		t.Errorf("declared are %q, and there are clients for %q", declared, there)
	}
	opener := Open(Deps{HTTPClient: http.DefaultClient, Now: time.Now, Handlers: &sdk.Client{}, AWS: func() (aws.Config, error) { return aws.Config{}, nil }})
	for _, name := range there {
		s := flow.Strategy{Name: "databases", Type: name}
		if builtin.Types()[name].Integration.Need == strategy.Required {
			s.Integration = &flow.Integration{Name: "it", Type: name, ExternalID: "example.com"}
		}
		opened, err := opener(s)
		if err != nil {
			t.Errorf("%s: does not open: %v", name, err)
		}
		if _, observes := opened.(strategy.Observer); observes != builtin.Types()[name].Observes {
			t.Errorf("%s: it reads targets back: %t, and declares otherwise", name, observes)
		} else if _, lists := opened.(strategy.Lister); lists != observes {
			t.Errorf("%s: it reads targets back: %t, and lists who has what: %t; drift needs both", name, observes, lists)
		}
	}
}

// TestOpenWhenUsed: a strategy that is not used costs nothing, and one that is
// keeps its client.
func TestOpenWhenUsed(t *testing.T) {
	t.Parallel()
	made := map[string]int{}
	entry := func(name string) func(Deps) strategy.Opener {
		return func(Deps) strategy.Opener {
			made[name]++
			return func(flow.Strategy) (strategy.Strategy, error) { return nil, nil }
		}
	}
	opener := open(map[string]func(Deps) strategy.Opener{"used": entry("used"), "unused": entry("unused")}, Deps{})
	if len(made) > 0 {
		t.Errorf("made before they are used: %v", made)
	}
	for range 2 {
		if _, err := opener(flow.Strategy{Type: "used"}); err != nil {
			t.Fatal(err)
		}
	}
	if made["used"] != 1 || made["unused"] != 0 {
		t.Errorf("made %v, want the used one once", made)
	}
}

func TestOpenUnknownType(t *testing.T) {
	t.Parallel()
	_, err := Open(Deps{})(flow.Strategy{Name: "databases", Type: "ldap"})
	if !flow.Retryable(err) {
		t.Errorf("got %v, want an error that may pass", err)
	}
	for _, want := range []string{`"databases"`, `"ldap"`, strings.Join(slices.Sorted(maps.Keys(openers)), ", ")} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want an error that names %s", err, want)
		}
	}
}
