package strategy

import "testing"

func TestCautionOf(t *testing.T) {
	t.Parallel()
	ends := map[string]string{SettingEndSessions: "true"}
	for _, test := range []struct {
		typ      TargetType
		settings map[string]string
		want     string
	}{
		{TargetType{}, ends, ""},
		{TargetType{Caution: "Forks go."}, ends, "Forks go."},
		{TargetType{Closes: "Sessions are closed."}, ends, "Sessions are closed."},
		{TargetType{Closes: "Sessions are closed."}, map[string]string{SettingEndSessions: "false"}, ""},
		{TargetType{Caution: "Forks go.", Closes: "Sessions are closed."}, nil, "Forks go."},
		{TargetType{Caution: "Forks go.", Closes: "Sessions are closed."}, ends, "Forks go. Sessions are closed."},
	} {
		if got := test.typ.CautionOf(test.settings); got != test.want {
			t.Errorf("%+v of %v: got %q, want %q", test.typ, test.settings, got, test.want)
		}
	}
}
