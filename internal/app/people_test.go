package app

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/symflows/symflows/internal/api"
	"github.com/symflows/symflows/internal/app/core"
	"github.com/symflows/symflows/internal/config"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/store/storetest"
)

// TestPeople_Remote: the commands say who people are in a deployment with this
// shell's AWS credentials. (It sets variables, and so can't run beside others.)
func TestPeople_Remote(t *testing.T) {
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "example")
	t.Setenv("AWS_REGION", "eu-central-1")
	now := core.WallClock{}.Now
	memory := &storetest.Memory{Now: now}
	users := store.Users{Store: memory, Keeper: true}
	caller := func(*http.Request) (flow.Principal, bool) {
		return flow.Principal{Kind: flow.PrincipalAWS, Name: "arn:aws:iam::123456789012:user/operator"}, true
	}
	log := slog.New(slog.DiscardHandler)
	server := httptest.NewServer(gateway{
		credentials: aws.Credentials{AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: "example"},
		behind: (&api.TokenAPI{Tokens: store.Tokens{Store: memory, Org: "sym", Now: now}, Now: now, Log: log, Caller: caller}).
			With(&api.PeopleAPI{People: api.People{Users: users, Org: "sym", Now: now}, Caller: caller, Log: log}),
	})
	t.Cleanup(server.Close)
	const email = "alice@example.com"
	for _, id := range []string{"U1", "U2"} {
		who := flow.Actor{ID: flow.UserID("sym", email), Kind: flow.KindPerson, Email: email, SlackID: id, SlackTeam: "T1"}
		if _, err := users.Remember(t.Context(), store.User{Actor: who, Role: store.RoleMember, SeenAt: now()}); err != nil {
			t.Fatal(err)
		}
	}
	run := func(command, want string) {
		t.Helper()
		var out strings.Builder
		words := append(strings.Fields(command), "-url", server.URL)
		act := user
		if words[0] == "identity" {
			act = identity
		}
		err := act(t.Context(), words[1:], config.Settings{Org: "sym"}, &out)
		said := out.String()
		if err != nil {
			said = "refused: " + err.Error()
		}
		if !strings.Contains(said, want) {
			t.Errorf("%s: %q, want %q", command, said, want)
		}
	}
	run("identity set "+email+" -service okta -service-id acme -user-id 00u1", "refused: the address alice@example.com belongs to another Slack account")
	run("user list", "U2 in T1")
	run("user confirm bob@example.com", "refused: no other Slack account claims this address")
	run("user confirm "+email, "alice@example.com belongs to U2 in T1 now, and not to U1 in T1")
	run("user confirm -all", "nobody waits")
	run("identity set "+email+" -service okta -service-id acme -user-id 00u1", "alice@example.com is 00u1 at okta acme")
	run("identity list "+email, "arn:aws:iam::123456789012:user/operator")
	who := flow.Actor{ID: flow.UserID("sym", email), Email: email}
	found := store.FoundIdentity{Identity: store.Identity{Service: "aws_sso", ExternalID: "i-1", UserID: "u-1"}, Strategy: "prod", At: time.Now().UTC().Truncate(time.Second)}
	if err := users.SetFound(t.Context(), who, found); err != nil {
		t.Fatal(err)
	}
	run("identity list "+email, "aws_sso  i-1         u-1      found by strategy prod in the system's directory  "+found.At.Format(time.RFC3339))
	run("identity delete "+email+" -service okta -service-id acme", "nothing is stored")
	run("identity delete "+email+" -service okta -service-id acme", "refused: no identity at okta acme is stored")
}
