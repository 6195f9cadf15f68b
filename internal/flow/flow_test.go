package flow

import "testing"

func TestEnvironment_Administers(t *testing.T) {
	t.Parallel()
	e := Environment{Admins: []string{"Admin@example.com", ""}}
	for _, c := range []struct {
		name string
		who  Actor
		want bool
	}{
		{"admin", admin, true},
		{"somebody else", outsider, false},
		{"somebody without an address", Actor{SlackID: admin.SlackID}, false},
		{"bot", bot, false},
	} {
		if got := e.Administers(c.who); got != c.want {
			t.Errorf("%s: %t, want %t", c.name, got, c.want)
		}
	}
	if (Environment{}).Administers(admin) {
		t.Error("an environment that names nobody has an admin")
	}
}
