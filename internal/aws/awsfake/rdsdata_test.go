package awsfake

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// echo answers with what it is asked, if that is a text.
type echo struct{}

func (echo) Execute(login, database, statement string, args map[string]string) ([]string, error) {
	switch statement {
	case "SELECT :a":
		return []string{login + " at " + database + ": " + args["a"]}, nil
	case "GRANT b TO c":
		return nil, nil
	}
	return nil, errors.New(`ERROR: relation "x" does not exist; SQLState: 42P01`)
}

func (echo) Change(statement string) (event, identity string) {
	if statement == "GRANT b TO c" {
		return "escalate", "c"
	}
	return "", ""
}

// TestRDSData: the fake takes and answers what AWS's reference has of
// ExecuteStatement, of which the SDK's module has no snapshots:
// https://docs.aws.amazon.com/rdsdataservice/latest/APIReference/API_ExecuteStatement.html
func TestRDSData(t *testing.T) {
	t.Parallel()
	const (
		cluster = "arn:aws:rds:us-east-1:123456789012:cluster:orders"
		secret  = "arn:aws:secretsmanager:us-east-1:123456789012:secret:sym-a1B2c3"
		of      = `"resourceArn": "` + cluster + `", "secretArn": "` + secret + `", "database": "postgres", `
	)
	f := New()
	f.RDSData.AddCluster(cluster, echo{})
	f.RDSData.AddSecret(secret, "sym")
	for _, test := range []struct {
		name, body, event, want, fault string
	}{
		{name: "Rows", body: `{` + of + `"sql": "SELECT :a", "parameters": [{"name": "a", "value": {"stringValue": "x"}}]}`, want: `{"numberOfRecordsUpdated":0,"records":[[{"stringValue":"sym at postgres: x"}]]}`},
		{name: "Change", body: `{` + of + `"sql": "GRANT b TO c"}`, event: "escalate", want: `{"generatedFields":[],"numberOfRecordsUpdated":0}`},
		{name: "Error", body: `{` + of + `"sql": "SELECT x"}`, want: `SQLState: 42P01`, fault: "DatabaseErrorException"},
		{name: "Parameter", body: `{` + of + `"sql": "SELECT x", "parameters": [{"name": "a", "value": {"stringValue": "x"}}]}`, want: "Cannot find parameter: a", fault: "BadRequestException"},
		{name: "Member", body: `{` + of + `"sql": "SELECT x", "maxResults": 1}`, want: "maxResults", fault: "BadRequestException"},
		{name: "Cluster", body: `{"resourceArn": "` + cluster + `2", "secretArn": "` + secret + `", "sql": "SELECT x"}`, want: "is not found", fault: "NotFoundException"},
		{name: "Secret", body: `{"resourceArn": "` + cluster + `", "secretArn": "` + secret + `2", "sql": "SELECT x"}`, want: "fetching secret", fault: "SecretsErrorException"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := f.services["rds-data"]
			q := &request{fake: f, http: httptest.NewRequest(http.MethodPost, "/Execute", strings.NewReader(test.body)), who: principal{account: Own}, region: Region, now: f.Now()}
			w := httptest.NewRecorder()
			op, err := s.find(q, []byte(test.body))
			var out any
			if err == nil {
				if op.name != "ExecuteStatement" || op.event != test.event {
					t.Errorf("it is taken for %s of event %q", op.name, op.event)
				}
				out, err = op.do(q)
			}
			if err != nil {
				s.protocol.fault(w, asFault(err))
			} else {
				s.protocol.answer(w, q, out)
			}
			if w.Header().Get("X-Amzn-ErrorType") != test.fault || !strings.Contains(w.Body.String(), test.want) {
				t.Errorf("answered %d %s", w.Code, w.Body)
			}
		})
	}
}
