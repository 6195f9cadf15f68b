// Command grant-database is a Lambda function that grants and removes access:
// the target of a strategy of type aws_lambda. Copy it to begin your own.
//
// Sym Flows invokes it twice for each run, with the run's audit record: once
// to escalate, after the approval, and once to deescalate, when the time is
// over or somebody ends the access early. It must be idempotent, because an
// invocation is repeated when its answer was lost; and it must take away what
// is not there without complaint.
//
// This one grants by a row in a file, so that you can watch access come and go
// on your machine; see access.go. To grant something real, replace the two
// methods of accessFile by the statements of your database, and leave the rest.
// In AWS build it for arm64 as usual:
//
//	GOOS=linux GOARCH=arm64 CGO_ENABLED=0 go build -tags lambda.norpc -o bootstrap .
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/lambda"

	"github.com/symflows/symflows/events"
)

func main() {
	path := os.Getenv("ACCESS_FILE")
	if path == "" {
		log.Fatal("ACCESS_FILE is not set: name the file that says who has access")
	}
	lambda.Start(function{accessFile(path)}.handle)
}

// function is the handler and what it works with.
type function struct {
	access accessFile
}

// handle does what the record asks for.
//
// There are two ways to fail. A list of errors in the answer is for people:
// the requester and the error channel read each of them. A Go error is for
// what you did not foresee; people see its text, too. Either way a grant
// stops, with a button to try again, and a removal is tried again until it
// succeeds.
func (f function) handle(ctx context.Context, record events.AuditRecord) (events.StrategyResponse, error) {
	g, problem := read(record)
	if problem != "" {
		return events.StrategyResponse{Body: json.RawMessage(`{}`), Errors: []string{problem}}, nil
	}
	var err error
	switch record.Event.Type {
	case "escalate":
		err = f.access.grant(ctx, g)
	case "deescalate":
		err = f.access.revoke(ctx, g.RunID)
	}
	if err != nil {
		return events.StrategyResponse{}, err
	}
	// Handlers of the flow read the body with get_step_output()["body"].
	body, err := json.Marshal(map[string]string{"username": g.Username, "target": g.Target})
	if err != nil {
		return events.StrategyResponse{}, fmt.Errorf("encode the answer: %w", err)
	}
	return events.StrategyResponse{Body: body, Errors: []string{}}, nil
}

// read takes from the record what a grant is about. The text says what is
// wrong with a record that can't be used.
func read(record events.AuditRecord) (g grant, problem string) {
	if t := record.Event.Type; t != "escalate" && t != "deescalate" {
		return g, fmt.Sprintf("grant-database can escalate and deescalate, not %q", t)
	}
	// A run's id is the last part of its name. It ties the removal to the grant.
	g.RunID = record.Run.SRN[strings.LastIndex(record.Run.SRN, ":")+1:]
	// The one who gets access is who made the request, never record.Actor: that
	// is who caused this event, such as the approver.
	g.Username = record.Run.Actors["request"].Username
	if target, ok := record.Fields["target"].(map[string]any); ok {
		g.Target, _ = target["name"].(string)
	}
	if g.RunID == "" || g.Username == "" || g.Target == "" {
		return g, "the record does not say who is to get which access: it needs run.srn, run.actors.request.username and fields.target.name"
	}
	// When access is to end is good to know, but not for us to enforce: we are
	// invoked again then. Flows without a duration end by hand only.
	if seconds, ok := record.Fields["duration"].(float64); ok {
		until := record.Event.Timestamp.UTC().Add(time.Duration(seconds) * time.Second)
		g.Until = &until
	}
	return g, ""
}
