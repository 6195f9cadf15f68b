package custom_test

import (
	"slices"
	"testing"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/strategy/custom"
)

func ours() flow.Strategy {
	return flow.Strategy{
		Name: "ours", Type: "custom", Implementation: flow.NewSource("ours.py", "class Ours(AccessStrategy): ..."),
		Targets: []flow.Target{
			{Name: "orders", Type: "custom", Label: "Orders", Settings: map[string]string{"identifier": "orders"}},
			{Name: "billing", Type: "custom", Label: "Billing", Settings: map[string]string{"identifier": "billing"}},
		},
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	wrong := ours()
	wrong.Implementation = nil
	wrong.Settings = map[string]string{"counted": "yes"}
	wrong.Targets[0].FieldBindings = []string{"counted"}
	var got []string
	for _, f := range custom.Type().Check(wrong) {
		got = append(got, f.Path)
	}
	if want := []string{"implementation", "settings.counted", "targets.orders.field_bindings"}; !slices.Equal(got, want) {
		t.Errorf("faults at %v, want %v", got, want)
	}
	if faults := custom.Type().Check(ours()); len(faults) > 0 {
		t.Errorf("faults %v", faults)
	}
}
