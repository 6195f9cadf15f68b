package workflow

import (
	"testing"
	"time"

	"github.com/symflows/symflows/internal/flow"
)

// TestLiveOf: lists say what was given, and mark access that was had without approval.
func TestLiveOf(t *testing.T) {
	t.Parallel()
	r := flow.Run{ID: flow.NewRunID(), Status: flow.Escalated, Access: &flow.Access{End: time.Unix(1, 0)}}
	if live := liveOf(&flow.Flow{}, r); live == nil || live.BreakGlass {
		t.Errorf("approved access is listed as %+v", live)
	}
	r.Target = &flow.Target{Name: "asked"}
	r.Given = &flow.Given{Target: &flow.Target{Name: "given"}}
	if live := liveOf(&flow.Flow{}, r); live.What != "given" {
		t.Errorf("%q is listed", live.What)
	}
	r.BreakGlass = &flow.BreakGlass{At: time.Unix(0, 0)}
	if live := liveOf(&flow.Flow{}, r); live == nil || !live.BreakGlass {
		t.Errorf("an emergency is listed as %+v", live)
	}
}
