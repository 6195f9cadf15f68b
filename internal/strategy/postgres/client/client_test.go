package client_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/symflows/symflows/internal/aws/account"
	"github.com/symflows/symflows/internal/aws/awsfake"
	"github.com/symflows/symflows/internal/deadline"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/strategy"
	"github.com/symflows/symflows/internal/strategy/postgres"
	"github.com/symflows/symflows/internal/strategy/postgres/client"
	"github.com/symflows/symflows/internal/strategy/postgres/postgresfake"
	"github.com/symflows/symflows/internal/strategy/strategytest"
)

// The versions that behave differently.
const (
	before16 = 15
	since16  = 18
)

var versions = map[string]int{"15": before16, "18": since16}

func TestStrategy(t *testing.T) {
	t.Parallel()
	for name, version := range versions {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			strategytest.Run(t, func(t *testing.T) strategytest.Subject { return postgresfake.Subject(t, version) })
		})
	}
}

const (
	other     = "210987654321"
	roleARN   = "arn:aws:iam::210987654321:role/sym/connector"
	external  = "1f0c1f0c"
	ourSecret = "arn:aws:secretsmanager:us-east-1:123456789012:secret:sym/postgres-a1B2c3"
	ours      = "arn:aws:rds:us-east-1:123456789012:cluster:orders"
	theirs    = "arn:aws:rds:eu-west-1:210987654321:cluster:orders"
)

// aurora is a cluster behind the RDS Data API: the moods are those of AWS, and the
// rest is the server's.
type aurora struct {
	*postgresfake.Server
	aws *awsfake.Fake
}

func (a aurora) SetMood(m strategytest.Mood)    { a.aws.SetMood(m) }
func (a aurora) Refused() int                   { return a.aws.Refused() }
func (a aurora) Changes() []strategytest.Change { return a.aws.Changes() }

// openAurora gives a strategy by the RDS Data API, in the own account or by a role
// in another one.
func openAurora(t *testing.T, elsewhere bool) (aurora, flow.Strategy, client.Deps) {
	t.Helper()
	a := aurora{postgresfake.New(since16), awsfake.New()}
	cluster := ours
	s := flow.Strategy{Name: "databases", Type: "postgres", Targets: postgresfake.Targets()}
	if elsewhere {
		cluster = theirs
		a.aws.STS.AddRole(roleARN, external)
		s.Integration = &flow.Integration{Name: "aws", Type: "permission_context", Settings: map[string]string{"role_arn": roleARN, "external_id": external}}
	}
	s.Settings = map[string]string{"resource_arn": cluster}
	s.Secrets = map[string]flow.SecretRef{"secret_id": {Name: "postgres", Source: "aws_secrets_manager", Path: ourSecret}}
	a.aws.RDSData.AddCluster(cluster, a.Server)
	a.aws.RDSData.AddSecret(ourSecret, postgresfake.Login)
	accounts := &account.Accounts{AWS: a.aws.Config(t), Now: a.aws.Now}
	return a, s, client.Deps{Accounts: func() (*account.Accounts, error) { return accounts, nil }}
}

func TestStrategy_DataAPI(t *testing.T) {
	t.Parallel()
	for name, elsewhere := range map[string]bool{"Here": false, "Elsewhere": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			strategytest.Run(t, func(t *testing.T) strategytest.Subject {
				a, s, deps := openAurora(t, elsewhere)
				cannot := postgresfake.Cannot()
				if elsewhere {
					delete(cannot, strategytest.ExpiredToken)
				}
				return strategytest.Subject{
					Type: postgres.Type(), Open: client.Open(deps), System: a, Strategy: s,
					Identities: [2]string{"alice@example.com", "bob"}, Shared: true, Cannot: cannot,
				}
			})
		})
	}
}

// bench is a strategy on a server.
type bench struct {
	*postgresfake.Server
	t    *testing.T
	s    flow.Strategy
	deps client.Deps
}

func newBench(t *testing.T, version int) *bench {
	t.Helper()
	server := postgresfake.New(version)
	s, deps := server.Strategy(t)
	return &bench{server, t, s, deps}
}

func (b *bench) set(name, value string) { b.s.Settings = map[string]string{name: value} }

func (b *bench) opened() strategy.Strategy {
	b.t.Helper()
	o, err := client.Open(b.deps)(b.s)
	if err != nil {
		b.t.Fatal(err)
	}
	return o
}

func call(role, database, user string) strategy.Call {
	return strategy.Call{RunID: "5f0c2a52-3f68-4f7e-9b1d-6a5d3c2b0000", Identity: user, Target: flow.Target{
		Name: "it", Type: postgres.TargetRole, Settings: map[string]string{"role": role, "database": database},
	}}
}

func (b *bench) observe(c strategy.Call) strategy.Sight {
	b.t.Helper()
	seen, err := b.opened().(strategy.Observer).Observe(b.t.Context(), c)
	if err != nil {
		b.t.Fatal(err)
	}
	return seen
}

// TestOtherGrantors: since version 16 a membership that others granted is theirs;
// before, there is one, whoever granted it.
func TestOtherGrantors(t *testing.T) {
	t.Parallel()
	c := call("app_rw", "orders", "bob")
	for name, version := range versions {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, version)
			b.GrantAs("postgres", "app_rw", "bob")
			seen := b.observe(c)
			if version == before16 {
				if seen.Presence != flow.Present || len(seen.Others) > 0 {
					t.Errorf("observed %+v", seen)
				}
				return
			}
			want := strategy.Sight{Presence: flow.Absent, Others: []string{"a membership that postgres has granted"}}
			if diff := cmp.Diff(want, seen); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if _, err := b.opened().Grant(t.Context(), c); err != nil {
				t.Fatal(err)
			}
			if seen := b.observe(c); seen.Presence != flow.Present || len(seen.Others) != 1 {
				t.Errorf("granted, observed %+v", seen)
			}
			if _, err := b.opened().Revoke(t.Context(), c); err != nil {
				t.Fatal(err)
			}
			if !b.Member("postgres", "app_rw", "bob") || b.Member(postgresfake.Login, "app_rw", "bob") {
				t.Error("what others granted is gone, or what we did is there")
			}
		})
	}
}

// TestSuperuserGrants: what a superuser grants is the first superuser's, since
// version 16.
func TestSuperuserGrants(t *testing.T) {
	t.Parallel()
	for name, version := range versions {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, version)
			b.SetSuperuser(postgresfake.Login)
			c := call("team", "orders", "bob") // on which it has no admin option
			if _, err := b.opened().Grant(t.Context(), c); err != nil {
				t.Fatal(err)
			}
			if seen := b.observe(c); seen.Presence != flow.Present || len(seen.Others) > 0 {
				t.Errorf("observed %+v", seen)
			}
		})
	}
}

// TestRefusals: what is never granted, and what can't be.
func TestRefusals(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		prepare func(*bench)
		call    strategy.Call
		version int // the other one grants it; 0: neither does
		code    flow.Code
		text    string
	}{
		{name: "NoRole", call: call("App_rw", "orders", "bob"), code: flow.CodeStrategy, text: "PostgreSQL has no role App_rw"},
		{name: "NoUser", call: call("app_rw", "orders", "carol"), code: flow.CodeIdentity, text: "have an administrator save the name of theirs"},
		{name: "NoDatabase", call: call("app_rw", "Orders", "bob"), code: flow.CodeStrategy, text: "no database Orders"},
		{name: "Superuser", call: call("postgres", "orders", "bob"), code: flow.CodeStrategy, text: "is a superuser"},
		{name: "InSuperuser", prepare: func(b *bench) { b.GrantAs("postgres", "postgres", "app_rw") }, call: call("app_rw", "orders", "bob"), code: flow.CodeStrategy, text: "or is in one"},
		{name: "Grantor", call: call("sym", "orders", "bob"), code: flow.CodeStrategy, text: "is login sym of this strategy"},
		{name: "InGrantor", prepare: func(b *bench) { b.GrantAs("postgres", "sym", "team") }, call: call("team", "orders", "bob"), code: flow.CodeStrategy, text: "or is in it"},
		{name: "ToGrantor", call: call("app_rw", "orders", "sym"), code: flow.CodeIdentity, text: "no person"},
		{name: "ToGroup", call: call("app_rw", "orders", "team"), code: flow.CodeIdentity, text: "stands for others"},
		{name: "NoAdmin", call: call("team", "orders", "bob"), code: flow.CodeStrategy, text: `GRANT "team" TO "sym" WITH ADMIN OPTION`},
		{name: "CreateRole", prepare: func(b *bench) { b.SetCreateRole("sym") }, call: call("team", "orders", "bob"), version: since16, code: flow.CodeStrategy, text: "WITH ADMIN OPTION"},
		{name: "Circle", prepare: func(b *bench) { b.GrantAs("postgres", "bob", "app_rw") }, call: call("app_rw", "orders", "bob"), code: flow.CodeStrategy, text: "the role is itself in the user"},
		{name: "NoSignals", prepare: func(b *bench) {
			b.set("end_sessions", "true")
			b.RevokeAs("postgres", "pg_signal_backend", "sym")
		}, call: call("app_rw", "orders", "bob"), code: flow.CodeStrategy, text: "GRANT pg_signal_backend"},
		{name: "LongName", call: call("app_rw", "orders", strings.Repeat("é", 32)), code: flow.CodeIdentity, text: "at most 63 bytes"},
		{name: "Quotes", prepare: func(b *bench) { b.AddUser(`o"neil`) }, call: call("app_rw", "orders", `o"neil`), version: -1},
	} {
		for name, version := range versions {
			t.Run(test.name+name, func(t *testing.T) {
				t.Parallel()
				b := newBench(t, version)
				if test.prepare != nil {
					test.prepare(b)
				}
				_, err := b.opened().Grant(t.Context(), test.call)
				if test.version != 0 && test.version != version {
					if err != nil || !b.Member("sym", test.call.Target.Settings["role"], test.call.Identity) {
						t.Errorf("not granted: %v", err)
					}
					return
				}
				if flow.CodeOf(err) != test.code || !strings.Contains(flow.UserMessage(err), test.text) {
					t.Errorf("got %s, %v; want %s, %q", flow.CodeOf(err), err, test.code, test.text)
				}
			})
		}
	}
}

// TestOwnLogin: a removal never takes from the strategy's login what it grants by.
func TestOwnLogin(t *testing.T) {
	t.Parallel()
	b := newBench(t, before16)
	result, err := b.opened().Revoke(t.Context(), call("app_rw", "orders", "sym"))
	if err != nil || len(result.Warnings) != 1 || !b.Member("postgres", "app_rw", "sym") {
		t.Errorf("got %+v, %v", result, err)
	}
}

// TestEndSessions: the person's sessions end with the access, where the strategy
// says so, in all databases: a role is taken on in any of them. Others' go on.
func TestEndSessions(t *testing.T) {
	t.Parallel()
	all := []postgresfake.Session{{User: "bob", Database: "orders"}, {User: "bob", Database: "billing"}, {User: "alice@example.com", Database: "orders"}, {User: "bob", Database: "orders"}}
	for _, test := range []struct {
		name    string
		prepare func(*bench)
		output  string
		left    []postgresfake.Session
	}{
		{name: "Ended", prepare: func(b *bench) { b.set("end_sessions", "true") }, output: `{"sessions_ended":3}`, left: all[2:3]},
		{name: "NotAsked", prepare: func(*bench) {}, left: all},
		{name: "Said", prepare: func(b *bench) { b.set("end_sessions", "false") }, left: all},
		{name: "AccessStays", prepare: func(b *bench) {
			b.set("end_sessions", "true")
			b.GrantAs("postgres", "team", "bob")
		}, left: all},
		{name: "DatabaseGone", prepare: func(b *bench) {
			b.set("end_sessions", "true")
			b.DropDatabase("orders")
		}, output: `{"sessions_ended":1}`, left: []postgresfake.Session{}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, since16)
			for _, x := range all {
				b.Server.Open(x.User, x.Database)
			}
			b.GrantAs("sym", "app_rw", "bob")
			test.prepare(b)
			result, err := b.opened().Revoke(t.Context(), call("app_rw", "orders", "bob"))
			if err != nil || string(result.Output) != test.output || b.Member("sym", "app_rw", "bob") {
				t.Errorf("got %s, %v; want %s", result.Output, err, test.output)
			}
			if diff := cmp.Diff(test.left, b.Sessions()); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
	t.Run("Forbidden", func(t *testing.T) {
		t.Parallel()
		b := newBench(t, since16)
		b.set("end_sessions", "true")
		b.RevokeAs("postgres", "pg_signal_backend", "sym")
		b.Server.Open("bob", "orders")
		_, err := b.opened().Revoke(t.Context(), call("app_rw", "orders", "bob"))
		if flow.CodeOf(err) != flow.CodeStrategy || !strings.Contains(flow.UserMessage(err), "pg_signal_backend") {
			t.Errorf("got %v", err)
		}
	})
}

// TestStates: what PostgreSQL says, and what that means. By the RDS Data API it is
// the same.
func TestStates(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		state, said string
		code        flow.Code
		text        string
	}{
		{"40001", "could not serialize access", flow.CodeUnavailable, "somebody else is changing the same"},
		{"40P01", "deadlock detected", flow.CodeUnavailable, "somebody else is changing the same"},
		{"XX000", "tuple concurrently updated", flow.CodeUnavailable, "somebody else is changing the same"},
		{"XX000", "cache lookup failed for role", flow.CodeUnavailable, "fault of its own"},
		{"55P03", "canceling statement due to lock timeout", flow.CodeUnavailable, "somebody else is changing the same"},
		{"57014", "canceling statement due to statement timeout", flow.CodeUnavailable, "took too long"},
		{"57P01", "terminating connection due to administrator command", flow.CodeUnavailable, "shutting down"},
		{"25006", "cannot execute GRANT ROLE in a read-only transaction", flow.CodeUnavailable, "the writer's endpoint"},
		{"42501", "permission denied to grant role", flow.CodeStrategy, "it needs the admin option"},
		{"42704", "role does not exist", flow.CodeUnavailable, "has just gone"},
		{"2BP01", "dependent privileges exist", flow.CodeStrategy, "passed the role on"},
		{"53200", "out of memory", flow.CodeUnavailable, "short of memory"},
		{"42883", "function json_build_object does not exist", flow.CodeStrategy, "an older one, or none"},
		{"22023", "invalid parameter value", flow.CodeStrategy, "SQLSTATE 22023"},
	} {
		for _, by := range []string{"Connection", "DataAPI"} {
			t.Run(test.state+by, func(t *testing.T) {
				t.Parallel()
				b := newBench(t, since16)
				server := b.Server
				if by == "DataAPI" {
					a, s, deps := openAurora(t, false)
					b.s, b.deps, server = s, deps, a.Server
				}
				c := call("app_rw", "orders", "bob")
				server.Fail("GRANT", test.state, test.said)
				_, err := b.opened().Grant(t.Context(), c)
				if flow.CodeOf(err) != test.code || !strings.Contains(flow.UserMessage(err), test.text) || strings.Contains(flow.UserMessage(err), test.said) {
					t.Errorf("got %s, %v; want %s, %q", flow.CodeOf(err), flow.UserMessage(err), test.code, test.text)
				}
				if _, err := b.opened().Grant(t.Context(), c); err != nil {
					t.Errorf("again: %v", err)
				}
			})
		}
	}
}

// TestConnecting: what may stand in a connection string, and who is believed.
func TestConnecting(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		dsn   string // %h and %p stand for host and port, %w for the password in a URL, %s for it as it is
		plain bool
		noCA  bool
		drop  func(*bench)
		code  flow.Code // "": it works
		text  string
	}{
		{name: "URL", dsn: "postgres://sym:%w@%h:%p/postgres"},
		{name: "URLWithMode", dsn: "postgresql://sym:%w@%h:%p/postgres?sslmode=verify-full&application_name=access"},
		{name: "Words", dsn: "host=%h port=%p user=sym password='%s' dbname=postgres"},
		{name: "VerifyCA", dsn: "postgres://sym:%w@localhost:%p/postgres?sslmode=verify-ca"},
		{name: "OtherName", dsn: "postgres://sym:%w@localhost:%p/postgres", code: flow.CodeStrategy, text: "is not trusted, or is of another name"},
		{name: "OtherAuthority", dsn: "postgres://sym:%w@%h:%p/postgres", noCA: true, code: flow.CodeStrategy, text: "ca_secret_id"},
		{name: "OtherAuthorityVerifyCA", dsn: "postgres://sym:%w@%h:%p/postgres?sslmode=verify-ca", noCA: true, code: flow.CodeStrategy, text: "ca_secret_id"},
		{name: "Require", dsn: "host=%h port=%p user=sym password='%s' dbname=postgres sslmode=require", noCA: true},
		{name: "Prefer", dsn: "postgres://sym:%w@%h:%p/postgres?sslmode=prefer", code: flow.CodeStrategy, text: "Write verify-full"},
		{name: "Allow", dsn: "host=%h port=%p user=sym password='%s' dbname=postgres sslmode=allow", code: flow.CodeStrategy, text: "Write verify-full"},
		{name: "NoEncryption", dsn: "postgres://sym:%w@%h:%p/postgres", plain: true, code: flow.CodeStrategy, text: "takes no encrypted connections"},
		{name: "NoEncryptionWanted", dsn: "postgres://sym:%w@%h:%p/postgres?sslmode=disable", plain: true},
		{name: "Password", dsn: "postgres://sym:wr0ng@%h:%p/postgres", code: flow.CodeUnavailable, text: "refuses the password"},
		{name: "Database", dsn: "postgres://sym:%w@%h:%p/none", code: flow.CodeStrategy, text: "no database of the name"},
		{name: "Login", dsn: "postgres://sym:%w@%h:%p/postgres", drop: func(b *bench) { b.DropRole("sym") }, code: flow.CodeUnavailable, text: "refuses the password"},
		{name: "Port", dsn: "postgres://sym:%s@%h:%p/postgres", code: flow.CodeStrategy, text: "written as %xx"},
		{name: "File", dsn: "postgres://sym:%w@%h:%p/postgres?sslrootcert=/etc/passwd", code: flow.CodeStrategy, text: "no parameters but host, port"},
		{name: "Service", dsn: "service=orders", code: flow.CodeStrategy, text: "no parameters but host, port"},
		{name: "NoText", dsn: "%s", code: flow.CodeStrategy, text: "is no connection string that can be used"},
		{name: "NothingThere", dsn: "postgres://sym:%w@127.0.0.1:1/postgres", code: flow.CodeUnavailable, text: "a way from here"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, since16)
			serving := b.Serve(t, test.plain)
			inURL := strings.TrimSuffix(strings.TrimPrefix(serving.DSN(), "postgres://sym:"), fmt.Sprintf("@%s:%d/postgres", serving.Host, serving.Port))
			dsn := strings.NewReplacer("%h", serving.Host, "%p", fmt.Sprint(serving.Port), "%w", inURL, "%s", postgresfake.Password).Replace(test.dsn)
			b.deps.Secrets = postgresfake.Secrets{postgresfake.PathDSN: dsn, postgresfake.PathCA: serving.CA}
			if test.noCA {
				delete(b.s.Secrets, postgres.SettingCA)
			}
			if test.drop != nil {
				test.drop(b)
			}
			_, err := b.opened().(strategy.Observer).Observe(deadline.Context(t), call("app_rw", "orders", "bob"))
			if flow.CodeOf(err) != test.code && (err != nil || test.code != "") || err != nil && !strings.Contains(flow.UserMessage(err), test.text) {
				t.Errorf("got %s, %v; want %s, %q", flow.CodeOf(err), err, test.code, test.text)
			}
			for _, secret := range []string{postgresfake.Password, inURL, "wr0ng"} {
				if err != nil && strings.Contains(err.Error(), secret) {
					t.Errorf("the error shows the password: %v", err)
				}
			}
			if _, params := b.Connections(); err == nil && params["application_name"] != "sym" && test.name != "URLWithMode" {
				t.Errorf("connected with %v", params)
			}
		})
	}
	t.Run("NoCertificate", func(t *testing.T) {
		t.Parallel()
		b := newBench(t, since16)
		b.deps.Secrets.(postgresfake.Secrets)[postgresfake.PathCA] = "none"
		_, err := b.opened().(strategy.Observer).Observe(t.Context(), call("app_rw", "orders", "bob"))
		if flow.CodeOf(err) != flow.CodeStrategy || !strings.Contains(flow.UserMessage(err), "no certificate in PEM") {
			t.Errorf("got %v", err)
		}
	})
	for _, setting := range []string{postgres.SettingDSN, postgres.SettingCA} {
		t.Run("NoSecret_"+setting, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, since16)
			delete(b.deps.Secrets.(postgresfake.Secrets), b.s.Secrets[setting].Path)
			_, err := b.opened().(strategy.Observer).Observe(t.Context(), call("app_rw", "orders", "bob"))
			if flow.CodeOf(err) != flow.CodeUnavailable || !strings.Contains(flow.UserMessage(err), "there is no secret") {
				t.Errorf("got %v", err)
			}
		})
	}
}

// TestLooking: who only looks has a session that can change nothing, and one
// connection for each look.
func TestLooking(t *testing.T) {
	t.Parallel()
	b := newBench(t, since16)
	b.deps.Looking = true
	c := call("app_rw", "orders", "bob")
	b.observe(c)
	if _, err := b.opened().Grant(t.Context(), c); flow.CodeOf(err) != flow.CodeUnavailable || b.Member("", "app_rw", "bob") {
		t.Errorf("granted: %v", err)
	}
	if n, params := b.Connections(); n != 2 || params["default_transaction_read_only"] != "on" {
		t.Errorf("%d connections with %v", n, params)
	}
}

// TestDataAPI: what AWS answers, and what that means.
func TestDataAPI(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		fault awsfake.Fault
		code  flow.Code
		text  string
		wait  time.Duration
	}{
		{awsfake.Fault{Status: 400, Code: "DatabaseResumingException", Message: "The Aurora DB instance orders-1 is resuming after being auto-paused."}, flow.CodeUnavailable, "was paused", 15 * time.Second},
		{awsfake.Fault{Status: 504, Code: "DatabaseUnavailableException"}, flow.CodeUnavailable, "not available just now", 0},
		{awsfake.Fault{Status: 503, Code: "ServiceUnavailableError"}, flow.CodeUnavailable, "not available just now", 0},
		{awsfake.Fault{Status: 400, Code: "StatementTimeoutException"}, flow.CodeUnavailable, "took too long", 0},
		{awsfake.Fault{Status: 404, Code: "DatabaseNotFoundException"}, flow.CodeStrategy, "has no instance", 0},
		{awsfake.Fault{Status: 404, Code: "NotFoundException"}, flow.CodeStrategy, "correct resource_arn", 0},
		{awsfake.Fault{Status: 400, Code: "HttpEndpointNotEnabledException"}, flow.CodeStrategy, "enable-http-endpoint", 0},
		{awsfake.Fault{Status: 400, Code: "InvalidSecretException"}, flow.CodeStrategy, "username and password", 0},
		{awsfake.Fault{Status: 400, Code: "SecretsErrorException"}, flow.CodeUnavailable, "could not read the secret", 0},
		{awsfake.Fault{Status: 403, Code: "ForbiddenException"}, flow.CodeStrategy, "does not allow", 0},
		{awsfake.Fault{Status: 403, Code: "AccessDeniedException"}, flow.CodeStrategy, "does not allow", 0},
		{awsfake.Fault{Status: 400, Code: "BadRequestException", Message: "Syntax error"}, flow.CodeStrategy, "and not MySQL", 0},
		{awsfake.Fault{Status: 500, Code: "InternalServerErrorException"}, flow.CodeUnavailable, "fault of its own", 0},
	} {
		t.Run(test.fault.Code, func(t *testing.T) {
			t.Parallel()
			a, s, deps := openAurora(t, true)
			o, err := client.Open(deps)(s)
			if err != nil {
				t.Fatal(err)
			}
			c := call("app_rw", "orders", "bob")
			a.aws.Fail("ExecuteStatement", 1, test.fault)
			_, err = o.Grant(t.Context(), c)
			if flow.CodeOf(err) != test.code || !strings.Contains(flow.UserMessage(err), test.text) || flow.AskedToWait(err) != test.wait {
				t.Errorf("got %v of %s, asking for %s; want %q of %s, asking for %s", err, flow.CodeOf(err), flow.AskedToWait(err), test.text, test.code, test.wait)
			}
			if _, err := o.Grant(t.Context(), c); err != nil {
				t.Errorf("again: %v", err)
			}
			want := awsfake.Call{Service: "rds-data", Operation: "ExecuteStatement", Account: other, Region: "eu-west-1", Role: roleARN, Session: c.RunID}
			for _, got := range a.aws.Calls("rds-data") {
				if got != want {
					t.Errorf("called as %+v, want %+v", got, want)
				}
			}
		})
	}
}

// TestRights: what the strategy declares suffices, and it needs all of it. The
// secret is read by the RDS Data API, on behalf of who calls it.
func TestRights(t *testing.T) {
	t.Parallel()
	a, s, deps := openAurora(t, false)
	rights := postgres.Type().RightsOf(s)
	if len(rights.Secrets) != 1 || rights.Secrets[0].Path != ourSecret {
		t.Errorf("secrets: %+v", rights.Secrets)
	}
	cfg, unused := a.aws.Restricted(t, rights)
	accounts := &account.Accounts{AWS: cfg, Now: a.aws.Now}
	deps.Accounts = func() (*account.Accounts, error) { return accounts, nil }
	o, err := client.Open(deps)(s)
	if err != nil {
		t.Fatal(err)
	}
	c := call("app_rw", "orders", "bob")
	for _, do := range []func(context.Context, strategy.Call) (strategy.Result, error){o.Grant, o.Revoke} {
		if _, err := do(t.Context(), c); err != nil {
			t.Error(err)
		}
	}
	if left := unused(); len(left) > 0 {
		t.Errorf("nothing needs %q", left)
	}
	looking := rights.Looking()
	if diff := cmp.Diff(rights, looking); diff != "" {
		t.Errorf("who looks needs the same, since all is statements: -all +looking:\n%s", diff)
	}
}

func TestIdentity(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, domain, email string
		want, text          string // one of them
	}{
		{name: "Address", email: "Alice@example.com", want: "alice@example.com"},
		{name: "NoAddress", email: "bob@example.com", text: "named by their e-mail address: make one"},
		{name: "Nobody", email: "", text: "make one"},
		{name: "Short", domain: "example.com", email: "bob@Example.com", want: "bob"},
		{name: "ShortOfOtherDomain", domain: "example.com", email: "bob@example.org", text: "named by their e-mail address: make one"},
		{name: "AddressInDomain", domain: "example.com", email: "alice@example.com", want: "alice@example.com"},
		{name: "Two", domain: "example.com", email: "carol@example.com", text: "2 users of PostgreSQL (carol, carol@example.com)"},
		{name: "Case", email: "dora@example.com", text: "2 users of PostgreSQL (Dora@example.com, dora@example.com)"},
		{name: "Expired", email: "late@example.com", text: "that may log in"},
		{name: "Group", domain: "example.com", email: "team@example.com", text: "or by what of it is before @example.com"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, since16)
			for _, name := range []string{"carol", "carol@example.com", "Dora@example.com", "dora@example.com", "late@example.com"} {
				b.AddUser(name)
			}
			b.Expire("late@example.com")
			b.set("identity_domain", test.domain)
			got, err := b.opened().(strategy.Identifier).Identity(t.Context(), flow.Actor{Email: test.email})
			if got != test.want || test.want == "" && (flow.CodeOf(err) != flow.CodeIdentity || !strings.Contains(flow.UserMessage(err), test.text)) {
				t.Errorf("got %q, %v; want %q, or %q", got, err, test.want, test.text)
			}
		})
	}
}

// TestDiscover: it finds what it may grant, and what it finds passes the check.
func TestDiscover(t *testing.T) {
	t.Parallel()
	b := newBench(t, since16)
	found, err := b.opened().(strategy.Discoverer).Discover(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var labels []string
	names := map[string]bool{}
	for _, target := range found {
		labels = append(labels, target.Label)
		names[target.Name] = true
		if err := flow.CheckName(target.Name); err != nil {
			t.Error(err)
		}
	}
	want := []string{"app_ro on billing", "app_ro on orders", "app_ro on postgres", "app_rw on billing", "app_rw on orders", "app_rw on postgres"}
	if diff := cmp.Diff(want, labels); diff != "" || len(names) != len(want) {
		t.Errorf("%d names, -want +got:\n%s", len(names), diff)
	}
	b.s.Targets = found
	if faults := postgres.Type().Check(b.s); len(faults) > 0 {
		t.Errorf("what was found has faults: %v", faults)
	}
	elsewhere := newBench(t, since16)
	elsewhere.s.Secrets[postgres.SettingDSN] = flow.SecretRef{Name: "other", Path: "/sym/other"}
	elsewhere.deps.Secrets.(postgresfake.Secrets)["/sym/other"] = elsewhere.deps.Secrets.(postgresfake.Secrets)[postgresfake.PathDSN]
	others, err := elsewhere.opened().(strategy.Discoverer).Discover(t.Context())
	if err != nil || len(others) != len(found) || names[others[0].Name] {
		t.Errorf("another server has the names of this one: %v", err)
	}
}
