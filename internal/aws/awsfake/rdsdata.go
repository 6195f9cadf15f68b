package awsfake

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Database is a database server behind the RDS Data API.
type Database interface {
	// Execute runs a statement as a login, and gives the row of texts that it answers
	// with, if it does. Arguments stand in it as :name. The error's text is what the
	// server says, with its SQLSTATE.
	Execute(login, database, statement string, args map[string]string) ([]string, error)
	// Change says what a statement is to change; "" if nothing.
	Change(statement string) (event, identity string)
}

// RDSData is the RDS Data API: clusters of Aurora, and secrets with logins of them.
type RDSData struct {
	mu       sync.Mutex
	clusters map[string]Database // by ARN
	logins   map[string]string   // by the ARN of their secret
}

func newRDSData() *RDSData {
	return &RDSData{clusters: map[string]Database{}, logins: map[string]string{}}
}

// AddCluster makes a cluster with a server.
func (d *RDSData) AddCluster(arn string, server Database) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.clusters[arn] = server
}

// AddSecret makes a secret with the password of a login.
func (d *RDSData) AddSecret(arn, login string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.logins[arn] = login
}

func (d *RDSData) service() *service {
	return &service{
		protocol: dataAPI{data: d},
		operations: []*operation{
			{name: "ExecuteStatement", path: "POST /Execute", do: d.executeStatement},
		},
		broken:   &Fault{http.StatusInternalServerError, "InternalServerErrorException", "", nil},
		conflict: &Fault{http.StatusBadRequest, "DatabaseErrorException", "ERROR: tuple concurrently updated; SQLState: XX000", nil},
		denied: func(q *request) *Fault {
			return &Fault{http.StatusForbidden, "AccessDeniedException", "User: " + q.who.arn() + " is not authorized to perform: rds-data:" + q.op.name, nil}
		},
		throttled: func(time.Duration) *Fault {
			return &Fault{http.StatusBadRequest, "ThrottlingException", "Rate exceeded", nil}
		},
	}
}

// dataAPI is restJson1 with one operation for all: the statement tells which of its
// calls are changes.
type dataAPI struct {
	restJSON
	data *RDSData
}

func (p dataAPI) find(s *service, q *request, body []byte) (*operation, error) {
	op, err := p.restJSON.find(s, q, body)
	if err != nil {
		return nil, err
	}
	in, err := statementOf(q)
	if err != nil {
		return nil, err
	}
	if server := p.data.server(in.ResourceARN); server != nil {
		if event, identity := server.Change(in.SQL); event != "" {
			change := *op
			change.event, change.whose = event, func(*request) string { return identity }
			op = &change
		}
	}
	return op, nil
}

// statement is the input of ExecuteStatement, as far as this fake takes it
// (https://docs.aws.amazon.com/rdsdataservice/latest/APIReference/API_ExecuteStatement.html).
type statement struct {
	ResourceARN string `json:"resourceArn"`
	SecretARN   string `json:"secretArn"`
	Database    string `json:"database"`
	SQL         string `json:"sql"`
	Parameters  []struct {
		Name  string `json:"name"`
		Value struct {
			StringValue *string `json:"stringValue"`
		} `json:"value"`
	} `json:"parameters"`
}

func statementOf(q *request) (statement, error) {
	var in statement
	d := json.NewDecoder(bytes.NewReader(q.body))
	d.DisallowUnknownFields()
	if err := d.Decode(&in); err != nil {
		return in, &Fault{http.StatusBadRequest, "BadRequestException", err.Error(), nil}
	}
	return in, nil
}

func (d *RDSData) server(arn string) Database {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.clusters[arn]
}

func (d *RDSData) executeStatement(q *request) (any, error) {
	in, err := statementOf(q)
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	server, login := d.clusters[in.ResourceARN], d.logins[in.SecretARN]
	d.mu.Unlock()
	parts := strings.Split(in.ResourceARN, ":")
	switch {
	case server == nil || len(parts) < 5 || parts[3] != q.region || parts[4] != q.who.account:
		return nil, &Fault{http.StatusNotFound, "NotFoundException", "DBCluster " + in.ResourceARN + " is not found", nil}
	case !q.who.may("secretsmanager:GetSecretValue"), login == "":
		return nil, &Fault{http.StatusBadRequest, "SecretsErrorException", "Error fetching secret " + in.SecretARN, nil}
	}
	args := map[string]string{}
	for _, p := range in.Parameters {
		if p.Value.StringValue == nil || !strings.Contains(in.SQL, ":"+p.Name) {
			return nil, &Fault{http.StatusBadRequest, "BadRequestException", "Cannot find parameter: " + p.Name, nil}
		}
		args[p.Name] = *p.Value.StringValue
	}
	row, err := server.Execute(login, in.Database, in.SQL, args)
	if err != nil {
		return nil, &Fault{http.StatusBadRequest, "DatabaseErrorException", err.Error(), nil}
	}
	out := map[string]any{"numberOfRecordsUpdated": 0}
	if row == nil {
		out["generatedFields"] = []any{}
		return out, nil
	}
	fields := []map[string]string{}
	for _, text := range row {
		fields = append(fields, map[string]string{"stringValue": text})
	}
	out["records"] = []any{fields}
	return out, nil
}
