package client

import (
	"context"
	"crypto/tls"
	"errors"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/aws/smithy-go"

	"github.com/symflows/symflows/internal/aws/account"
	"github.com/symflows/symflows/internal/egress"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/pattern"
)

// resuming is how long to leave a paused cluster alone. AWS says "a few seconds";
// it takes about fifteen (https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/aurora-serverless-v2-auto-pause.html).
const resuming = 15 * time.Second

// states say what SQLSTATEs mean
// (https://www.postgresql.org/docs/current/errcodes-appendix.html), by the whole
// state or by its class.
var states = map[string]struct {
	code    flow.Code
	message string
}{
	"08":    {flow.CodeUnavailable, "the connection to PostgreSQL broke"},
	"0LP01": {flow.CodeStrategy, "PostgreSQL refuses this membership: the role is itself in the user. Name another role, or take it out of there"},
	"25006": {flow.CodeUnavailable, "the server takes no changes: it is a standby, or is becoming the primary just now. If it stays so, name the primary (of Aurora: the writer's endpoint) in the connection string"},
	"2BP01": {flow.CodeStrategy, "the user has passed the role on to others by the admin option that somebody gave them: revoke that first (REVOKE … CASCADE)"},
	"28P01": {flow.CodeUnavailable, "PostgreSQL refuses the password in the secret. If it was changed a moment ago, the new one is read within minutes; if not, correct the secret"},
	"28":    {flow.CodeStrategy, "PostgreSQL does not let the login of this strategy in: see that it has LOGIN, and that pg_hba.conf lets it in from here with encryption"},
	"3D000": {flow.CodeStrategy, "there is no database of the name in the connection string (for the RDS Data API: postgres): correct the secret, or make the database"},
	"40":    {flow.CodeUnavailable, "somebody else is changing the same at PostgreSQL just now"},
	"42501": {flow.CodeStrategy, "PostgreSQL does not let the login of this strategy do that: it needs the admin option on the role and, to end sessions, pg_signal_backend and CONNECT on the database that it connects to"},
	"42704": {flow.CodeUnavailable, "the role or the user has just gone from PostgreSQL, or been renamed"},
	"42":    {flow.CodeStrategy, "the server does not understand what PostgreSQL 10 and later do: it is an older one, or none"},
	"53300": {flow.CodeUnavailable, "PostgreSQL has no connection to spare: it is tried again. If it stays so, raise max_connections, or reserve some for this login"},
	"53":    {flow.CodeUnavailable, "PostgreSQL is short of memory or disk"},
	"55":    {flow.CodeUnavailable, "somebody else is changing the same at PostgreSQL just now"},
	"57014": {flow.CodeUnavailable, "PostgreSQL broke off what was asked, because it took too long"},
	"57":    {flow.CodeUnavailable, "PostgreSQL is starting, or shutting down"},
	"58":    {flow.CodeUnavailable, "PostgreSQL has a fault of its own just now"},
	"XX":    {flow.CodeUnavailable, "PostgreSQL has a fault of its own just now"},
}

// ofState says what an error with a SQLSTATE means. Concurrent changes of a
// catalog are internal errors to PostgreSQL.
func ofState(state, said string, cause error) error {
	e := &flow.Error{Code: flow.CodeStrategy, Message: "PostgreSQL refuses it (SQLSTATE " + flow.Clip(state, 5) + ")", Cause: cause}
	known, ok := states[state]
	switch {
	case state == "XX000" && strings.Contains(said, "concurrently"):
		known, ok = states["40"], true
	case !ok && len(state) == 5:
		known, ok = states[state[:2]]
	}
	if ok {
		e.Code, e.Message = known.code, known.message
	}
	return e
}

// failure says what an error of a connection means; nil stays nil.
func failure(err error) error {
	if err == nil {
		return nil
	}
	if said, ok := errors.AsType[*pgconn.PgError](err); ok {
		return ofState(said.Code, said.Message, err)
	}
	as := func(code flow.Code, message string) error {
		return &flow.Error{Code: code, Message: message, Cause: err}
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok || strings.Contains(err.Error(), "certificate signed by unknown authority") {
		return as(flow.CodeStrategy, "the certificate of the PostgreSQL server is not trusted, or is of another name: name the authorities that it comes from by ca_secret_id, and the server in the connection string by the name in its certificate")
	}
	if refused, ok := errors.AsType[*egress.Refused](err); ok {
		return as(flow.CodeStrategy, "the PostgreSQL server is not connected to: its address "+refused.Why)
	}
	switch {
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled), pgconn.Timeout(err):
		return as(flow.CodeUnavailable, "PostgreSQL did not answer in time")
	case strings.Contains(err.Error(), "refused TLS"): // pgconn has no error of its own for it
		return as(flow.CodeStrategy, "the PostgreSQL server takes no encrypted connections: have it take them (ssl = on)")
	}
	return as(flow.CodeUnavailable, "PostgreSQL could not be reached, or did not answer: see that there is a way from here to the host in the connection string")
}

// sqlState is how the RDS Data API tells the state, at the end of what the server
// said.
var sqlState = pattern.Of(`SQLState: ([0-9A-Z]+)\s*$`)

// dataAPIFailure says what an error of the RDS Data API means; nil stays nil.
func dataAPIFailure(err error) error {
	said, ok := errors.AsType[smithy.APIError](err)
	if !ok {
		return account.Failure(err)
	}
	if m := sqlState.FindStringSubmatch(said.ErrorMessage()); m != nil {
		return ofState(m[1], said.ErrorMessage(), err)
	}
	as := func(code flow.Code, message string) error {
		return &flow.Error{Code: code, Message: message, Cause: err}
	}
	switch said.ErrorCode() {
	case "DatabaseResumingException":
		return &flow.RateLimited{After: resuming, Cause: as(flow.CodeUnavailable, "the Aurora cluster was paused, and is resuming")}
	case "DatabaseUnavailableException", "ServiceUnavailableError", "InvalidResourceStateException":
		return as(flow.CodeUnavailable, "the Aurora cluster, or its writer, is not available just now")
	case "StatementTimeoutException":
		return ofState("57014", "", err)
	case "DatabaseNotFoundException":
		return as(flow.CodeStrategy, "the Aurora cluster has no instance: give it a writer")
	case "NotFoundException":
		return as(flow.CodeStrategy, "the RDS Data API knows no such cluster or secret: correct resource_arn and the path of the secret")
	case "HttpEndpointNotEnabledException":
		return as(flow.CodeStrategy, "the RDS Data API is not enabled for the cluster: enable it (aws rds enable-http-endpoint --resource-arn …)")
	case "InvalidSecretException":
		return as(flow.CodeStrategy, "the RDS Data API can't use the secret: it must be a JSON object with username and password")
	case "SecretsErrorException":
		return as(flow.CodeUnavailable, "the RDS Data API could not read the secret: see that it is there, and that whoever calls may read it and decrypt it")
	case "ForbiddenException":
		return as(flow.CodeStrategy, "AWS does not allow RDS Data API ExecuteStatement: give the role that is used the rights that the guide lists")
	case "BadRequestException", "DatabaseErrorException", "UnsupportedResultException":
		return as(flow.CodeStrategy, "the RDS Data API refuses what was asked: see that the cluster is one of PostgreSQL, and not MySQL")
	}
	return account.Failure(err)
}

func noText() error {
	return flow.Errorf(flow.CodeUnavailable, "PostgreSQL gave an answer that can't be understood")
}
