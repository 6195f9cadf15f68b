package postgresfake

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"testing"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/strategy/postgres"
	"github.com/symflows/symflows/internal/strategy/postgres/client"
	"github.com/symflows/symflows/internal/strategy/strategytest"
)

// Secrets are values by their paths.
type Secrets map[string]string

// Value implements strategy.Secrets.
func (s Secrets) Value(_ context.Context, ref flow.SecretRef) (string, error) {
	v, ok := s[ref.Path]
	if !ok {
		return "", flow.Errorf(flow.CodeUnavailable, "there is no secret %s", ref)
	}
	return ref.Pick(v)
}

// The paths of the secrets that a subject has.
const (
	PathDSN = "/sym/postgres"
	PathCA  = "/sym/postgres-ca"
)

// DSN is the connection string of the strategy's login.
func (s Serving) DSN() string {
	return fmt.Sprintf("postgres://%s@%s:%d/postgres", url.UserPassword(Login, Password), s.Host, s.Port)
}

// Targets are two roles of a new server.
func Targets() []flow.Target {
	return []flow.Target{
		{Name: "orders-rw", Type: postgres.TargetRole, Label: "Orders, to write", Settings: map[string]string{"role": "app_rw", "database": "orders"}},
		{Name: "orders-ro", Type: postgres.TargetRole, Label: "Orders, to read", Settings: map[string]string{"role": "app_ro", "database": "orders"}},
	}
}

// Cannot are the cases that can't happen at a PostgreSQL server.
func Cannot() map[strategytest.Case]string {
	return map[strategytest.Case]string{
		strategytest.Pending:      "PostgreSQL answers when it is done",
		strategytest.PendingFails: "PostgreSQL answers when it is done",
		strategytest.StaleRead:    "the primary shows what its catalog has",
		strategytest.ExpiredToken: "a login has a password, and no tokens",
		strategytest.Invitation:   "PostgreSQL asks nobody",
	}
}

// Subject is the strategy on a new server of a version (18), by a connection.
func Subject(t testing.TB, version int) strategytest.Subject {
	server := New(version)
	s, deps := server.Strategy(t)
	return strategytest.Subject{
		Type: postgres.Type(), Open: client.Open(deps), System: server, Strategy: s,
		Identities: [2]string{"alice@example.com", "bob"}, Shared: true, Cannot: Cannot(),
		Secrets: []string{Password, url.UserPassword(Login, Password).String()},
	}
}

// Strategy serves the server, and gives a strategy that grants by it.
func (s *Server) Strategy(t testing.TB) (flow.Strategy, client.Deps) {
	serving := s.Serve(t, false)
	return flow.Strategy{
		Name: "databases", Type: "postgres", Targets: Targets(),
		Secrets: map[string]flow.SecretRef{
			postgres.SettingDSN: {Name: "postgres", Source: "aws_secrets_manager", Path: PathDSN},
			postgres.SettingCA:  {Name: "postgres-ca", Source: "aws_secrets_manager", Path: PathCA},
		},
	}, client.Deps{Dial: (&net.Dialer{}).DialContext, Secrets: Secrets{PathDSN: serving.DSN(), PathCA: serving.CA}}
}
