package flow

import "testing"

// TestBreakGlass_unasked: more of what nobody has approved takes an approval, also
// where the flow asks nobody for more time.
func TestBreakGlass_unasked(t *testing.T) {
	t.Parallel()
	r := breakingGlass(0)
	r.Form.Extend = &Extend{Max: 1, Approval: ExtendNone}
	if r.Unasked() {
		t.Error("an emergency is extended without approval")
	}
	if r.BreakGlass = nil; !r.Unasked() {
		t.Error("what was approved is not extended at once, as the flow says")
	}
}
