package client

import (
	"context"
	"crypto/x509"
	"net/url"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/strategy/postgres"
)

// closing bounds how long a server is told that we go.
const closing = time.Second

// dsnKeys are what may stand in a DSN: nothing that reads files, of which the
// function that grants has none.
var dsnKeys = []string{
	"host", "port", "user", "password", "database", "dbname", "sslmode", "application_name", "connect_timeout", "channel_binding", "require_auth", "target_session_attrs", "sslnegotiation",
}

// connection is a session over PostgreSQL's own protocol.
type connection struct {
	conn *pgconn.PgConn
}

func (r roles) connect(ctx context.Context) (session, error) {
	ref := r.frozen.Secrets[postgres.SettingDSN]
	dsn, err := r.deps.Secrets.Value(ctx, ref)
	if err != nil {
		return nil, err
	}
	cfg, err := parseDSN(dsn, ref)
	if err != nil {
		return nil, err
	}
	if ref, ok := r.frozen.Secrets[postgres.SettingCA]; ok {
		pem, err := r.deps.Secrets.Value(ctx, ref)
		if err != nil {
			return nil, err
		}
		if err := trust(cfg, pem, ref); err != nil {
			return nil, err
		}
	}
	if r.deps.Looking {
		cfg.RuntimeParams["default_transaction_read_only"] = "on"
	}
	cfg.DialFunc = r.deps.Dial
	conn, err := pgconn.ConnectConfig(ctx, cfg)
	if err != nil {
		return nil, failure(err)
	}
	return connection{conn}, nil
}

// parseDSN reads a connection string. No error shows any of it.
func parseDSN(dsn string, ref flow.SecretRef) (*pgconn.Config, error) {
	refuse := func(what string) error {
		return flow.Errorf(flow.CodeStrategy, "secret %s is no connection string that can be used: %s", ref, what)
	}
	const like = "write one like postgres://sym:password@db.example.com:5432/postgres, in which other characters than letters, digits and -._~ of the password are written as %xx"
	if strings.HasPrefix(dsn, "postgres://") || strings.HasPrefix(dsn, "postgresql://") {
		u, err := url.Parse(dsn)
		if err != nil {
			return nil, refuse(like)
		}
		if q := u.Query(); !q.Has("sslmode") {
			q.Set("sslmode", "verify-full")
			u.RawQuery = q.Encode()
		}
		dsn = u.String()
	} else {
		dsn = "sslmode=verify-full " + dsn // the last one counts
	}
	cfg, err := pgconn.ParseConfigWithOptions(dsn, pgconn.ParseConfigOptions{ConnStringAllowedKeys: dsnKeys})
	if err != nil {
		return nil, refuse(like + ", with no parameters but " + strings.Join(dsnKeys, ", "))
	}
	if cfg.User == "" || cfg.Host == "" {
		return nil, refuse("it names no user or no host. " + like)
	}
	open, closed := 0, 0
	for _, f := range append([]*pgconn.FallbackConfig{{Host: cfg.Host, TLSConfig: cfg.TLSConfig}}, cfg.Fallbacks...) {
		if f.TLSConfig == nil {
			open++
		} else {
			closed++
		}
	}
	if open > 0 && closed > 0 {
		return nil, refuse("its sslmode goes without encryption where the server, or somebody on the way, wants it so. Write verify-full, verify-ca, require or disable")
	}
	if cfg.RuntimeParams["application_name"] == "" {
		cfg.RuntimeParams["application_name"] = "sym"
	}
	return cfg, nil
}

// trust has certificates checked by the authorities in a PEM alone.
func trust(cfg *pgconn.Config, pem string, ref flow.SecretRef) error {
	authorities := x509.NewCertPool()
	if !authorities.AppendCertsFromPEM([]byte(pem)) {
		return flow.Errorf(flow.CodeStrategy, "secret %s has no certificate in PEM: write those of the authorities that the server's certificate may come from", ref)
	}
	if cfg.TLSConfig != nil {
		cfg.TLSConfig.RootCAs = authorities
	}
	for _, f := range cfg.Fallbacks {
		if f.TLSConfig != nil {
			f.TLSConfig.RootCAs = authorities
		}
	}
	return nil
}

func (c connection) ask(ctx context.Context, statement string, args ...string) (string, error) {
	values := make([][]byte, len(args))
	for i, arg := range args {
		values[i] = []byte(arg)
	}
	result := c.conn.ExecParams(ctx, statement, values, nil, nil, nil).Read()
	if result.Err != nil {
		return "", failure(result.Err)
	}
	if len(result.Rows) != 1 || len(result.Rows[0]) != 1 {
		return "", noText()
	}
	return string(result.Rows[0][0]), nil
}

func (c connection) do(ctx context.Context, statement string) error {
	return failure(c.conn.ExecParams(ctx, statement, nil, nil, nil, nil).Read().Err)
}

func (c connection) close() {
	ctx, cancel := context.WithTimeout(context.Background(), closing)
	defer cancel()
	_ = c.conn.Close(ctx) // an error means that it is closed already
}
