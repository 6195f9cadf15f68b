package transparency_test

import (
	"strings"
	"testing"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/transparency"
)

// TestKeysFrom: the same secret is the same key in every release, else a log would be
// another's after an upgrade.
func TestKeysFrom(t *testing.T) {
	t.Parallel()
	const secret = "x7Qm2vTzKp9RwYbN4sLdHcJgFaEuXi3o"
	keys, err := transparency.KeysFrom(secret+"\n", origin)
	if err != nil {
		t.Fatal(err)
	}
	const want = "audit.example.com/acme+863697c5+ASjzWWpVCXPCXZaxVPrdkHrnEJwtJJgiQiMwg9IoQI+A"
	if len(keys) != 1 || keys[0].Public() != want {
		t.Errorf("the key is %s", keys[0].Public())
	}
	other, err := transparency.KeysFrom(secret, "another.example.com/log")
	if err != nil || strings.HasSuffix(keys[0].Public(), other[0].Public()[strings.LastIndex(other[0].Public(), "+"):]) {
		t.Errorf("logs of other names have the same key: %v", err)
	}
	given := newKey(t)
	both, err := transparency.KeysFrom(given.Secret()+"\n\n"+secret, origin)
	if err != nil || len(both) != 2 || both[0].Public() != given.Public() || both[1].Public() != want {
		t.Errorf("%v, %v", both, err)
	}
	for _, bad := range []string{"", "short", secret + "\nshort", "PRIVATE+KEY+nonsense"} {
		if _, err := transparency.KeysFrom(bad, origin); flow.CodeOf(err) != flow.CodeInvalid || strings.Contains(err.Error(), secret) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}
