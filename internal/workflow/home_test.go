package workflow

import (
	"testing"
	"time"

	"github.com/symflows/symflows/internal/flow"
)

// TestLiveOf: lists mark access that was had without approval.
func TestLiveOf(t *testing.T) {
	t.Parallel()
	r := flow.Run{ID: flow.NewRunID(), Status: flow.Escalated, Access: &flow.Access{End: time.Unix(1, 0)}}
	if live := liveOf(&flow.Flow{}, r); live == nil || live.BreakGlass {
		t.Errorf("approved access is listed as %+v", live)
	}
	r.BreakGlass = &flow.BreakGlass{At: time.Unix(0, 0)}
	if live := liveOf(&flow.Flow{}, r); live == nil || !live.BreakGlass {
		t.Errorf("an emergency is listed as %+v", live)
	}
}
