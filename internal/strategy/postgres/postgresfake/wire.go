package postgresfake

import (
	"crypto/tls"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/symflows/symflows/internal/strategy/strategytest"
)

// Serving is a server that listens.
type Serving struct {
	Host string // "127.0.0.1"
	Port int
	// CA is the certificate of its authority, in PEM. It is for 127.0.0.1 and
	// example.com.
	CA string
}

// Serve has the server listen on this machine until the test ends. plain is
// without TLS.
func (s *Server) Serve(t testing.TB, plain bool) Serving {
	t.Helper()
	certified := httptest.NewTLSServer(nil) // has a certificate, and no other use
	defer certified.Close()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var secure *tls.Config
	if !plain {
		secure = &tls.Config{Certificates: certified.TLS.Certificates, MinVersion: tls.VersionTLS12}
	}
	var open sync.WaitGroup
	var mu sync.Mutex
	conns := map[net.Conn]bool{}
	t.Cleanup(func() {
		_ = listener.Close()
		mu.Lock()
		for conn := range conns {
			_ = conn.Close()
		}
		mu.Unlock()
		open.Wait()
	})
	open.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return // it was closed
			}
			mu.Lock()
			conns[conn] = true
			mu.Unlock()
			open.Go(func() {
				defer conn.Close()
				s.connection(conn, secure)
				mu.Lock()
				delete(conns, conn)
				mu.Unlock()
			})
		}
	})
	at := listener.Addr().(*net.TCPAddr)
	return Serving{at.IP.String(), at.Port, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certified.Certificate().Raw}))}
}

// errCut ends a connection without a word.
var errCut = errors.New("cut")

// connection serves one. What it ends by is between it and the client.
func (s *Server) connection(conn net.Conn, secure *tls.Config) {
	s.mu.Lock()
	s.opened++
	mood := s.mood
	s.mu.Unlock()
	if mood == strategytest.Mute {
		_, _ = io.Copy(io.Discard, conn) // until the client gives up
		return
	}
	b := pgproto3.NewBackend(conn, conn)
	first, err := b.ReceiveStartupMessage()
	if err != nil {
		return
	}
	if _, ok := first.(*pgproto3.SSLRequest); ok {
		answer := "N"
		if secure != nil {
			answer = "S"
		}
		if _, err := io.WriteString(conn, answer); err != nil {
			return
		}
		if secure != nil {
			conn = tls.Server(conn, secure)
			b = pgproto3.NewBackend(conn, conn)
		}
		if first, err = b.ReceiveStartupMessage(); err != nil {
			return
		}
	}
	start, ok := first.(*pgproto3.StartupMessage)
	if !ok {
		return
	}
	fatal := func(state, message string) {
		b.Send(&pgproto3.ErrorResponse{Severity: "FATAL", SeverityUnlocalized: "FATAL", Code: state, Message: message})
		_ = b.Flush()
	}
	switch mood {
	case strategytest.Throttled:
		fatal("53300", "sorry, too many clients already")
		return
	case strategytest.Broken:
		fatal("57P03", "the database system is starting up")
		return
	}
	login, database := start.Parameters["user"], start.Parameters["database"]
	s.mu.Lock()
	s.params = start.Parameters
	password := ""
	if r := s.roles[login]; r != nil {
		password = r.password
	}
	s.mu.Unlock()
	right, err := authenticate(b, password)
	if err != nil {
		return
	}
	if !right || password == "" {
		fatal("28P01", fmt.Sprintf("password authentication failed for user %q", login))
		return
	}
	if err := s.connects(login, database); err != nil {
		said := err.(*Error)
		fatal(said.State, said.Message)
		return
	}
	b.Send(&pgproto3.AuthenticationOk{})
	b.Send(&pgproto3.ParameterStatus{Name: "server_version", Value: fmt.Sprint(s.version / 10000)})
	b.Send(&pgproto3.BackendKeyData{ProcessID: 1, SecretKey: []byte{0, 0, 0, 1}})
	b.Send(&pgproto3.ReadyForQuery{TxStatus: 'I'})
	if b.Flush() == nil {
		_ = s.queries(b, login, start.Parameters["default_transaction_read_only"] == "on")
	}
}

// queries serves the extended protocol, with unnamed statements and portals.
func (s *Server) queries(b *pgproto3.Backend, login string, readOnly bool) error {
	var statement string
	var answers, failed bool
	var args []string
	fail := func(err error) {
		said := err.(*Error)
		failed = true
		b.Send(&pgproto3.ErrorResponse{Severity: "ERROR", SeverityUnlocalized: "ERROR", Code: said.State, Message: said.Message})
	}
	for {
		m, err := b.Receive()
		if err != nil {
			return err
		}
		switch m.(type) {
		case *pgproto3.Terminate:
			return nil
		case *pgproto3.Sync:
			failed = false
			b.Send(&pgproto3.ReadyForQuery{TxStatus: 'I'})
			if err := b.Flush(); err != nil {
				return err
			}
			continue
		}
		if failed {
			continue // until the next Sync
		}
		switch m := m.(type) {
		case *pgproto3.Parse:
			statement = m.Query
			if answers, err = s.parse(statement); err != nil {
				fail(err)
				continue
			}
			b.Send(&pgproto3.ParseComplete{})
		case *pgproto3.Bind:
			args = nil
			for _, p := range m.Parameters {
				args = append(args, string(p))
			}
			if !takes(statement, len(args)) {
				fail(&Error{"08P01", "bind message supplies another number of parameters"})
				continue
			}
			b.Send(&pgproto3.BindComplete{})
		case *pgproto3.Describe:
			if !answers {
				b.Send(&pgproto3.NoData{})
				continue
			}
			b.Send(&pgproto3.RowDescription{Fields: []pgproto3.FieldDescription{{Name: []byte("text"), DataTypeOID: 25, DataTypeSize: -1, TypeModifier: -1}}})
		case *pgproto3.Execute:
			if err := s.run(b, login, readOnly, statement, args, fail); err != nil {
				return err
			}
		default:
			fail(&Error{"0A000", fmt.Sprintf("this fake does not know %T", m)})
		}
	}
}

// takes tells whether a statement has so many arguments.
func takes(statement string, n int) bool {
	most := 0
	for i := 1; strings.Contains(statement, fmt.Sprintf("$%d", i)); i++ {
		most = i
	}
	return most == n
}

// run runs a bound statement in the server's mood.
func (s *Server) run(b *pgproto3.Backend, login string, readOnly bool, statement string, args []string, fail func(error)) error {
	event, _, member, changing := changes(statement)
	s.mu.Lock()
	mood := s.mood
	if changing && mood == strategytest.Conflicted {
		s.mood, s.refused = strategytest.Willing, s.refused+1
	}
	if changing && (mood == strategytest.Conflicted || mood == strategytest.Refusing) {
		s.changes = append(s.changes, strategytest.Change{Event: event, Identity: member})
	}
	s.mu.Unlock()
	switch {
	case changing && mood == strategytest.Conflicted:
		fail(&Error{"XX000", "tuple concurrently updated"})
		return nil
	case changing && mood == strategytest.Refusing:
		fail(&Error{"42501", "permission denied to grant role"})
		return nil
	}
	text, notice, err := s.execute(login, readOnly, statement, args)
	if err != nil {
		fail(err)
		return nil
	}
	if changing && mood == strategytest.Forgetful {
		return errCut
	}
	if severity, said, ok := strings.Cut(notice, ": "); ok {
		state := map[string]string{"NOTICE": "00000", "WARNING": "01000"}[severity]
		b.Send(&pgproto3.NoticeResponse{Severity: severity, SeverityUnlocalized: severity, Code: state, Message: said})
	}
	word, _, _ := strings.Cut(statement, " ")
	tag := word + " ROLE"
	if text != nil {
		b.Send(&pgproto3.DataRow{Values: [][]byte{[]byte(*text)}})
		tag = "SELECT 1"
	}
	b.Send(&pgproto3.CommandComplete{CommandTag: []byte(tag)})
	return nil
}
