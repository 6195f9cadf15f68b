// Package awsdestination sends audit records to services of AWS, in the account and by the
// role of the destination's integration: a file each.
//
//	streams.go      Amazon Data Firehose and Kinesis Data Streams
//	eventbridge.go  a bus of Amazon EventBridge
//	s3.go           a bucket
package awsdestination

import (
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/symflows/symflows/internal/aws/account"
	"github.com/symflows/symflows/internal/destination"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/workflow"
)

// Deps is what destinations send with.
type Deps struct {
	// Accounts gives the accounts that may be acted in, or why there are none. It is called
	// when there is something to send.
	Accounts func() (*account.Accounts, error) // required
}

// config configures clients that act for a destination.
func (d Deps) config(to flow.LogDestination) (aws.Config, error) {
	accounts, err := d.Accounts()
	if err != nil {
		return aws.Config{}, err
	}
	return accounts.Config(destination.Account(to), account.Caller{}), nil
}

// failure says what a call that failed means: of what, in which words of people.
func failure(err error, what string) error {
	switch code := account.Code(err); code {
	case "ResourceNotFoundException", "NoSuchBucket":
		return &flow.Error{Code: flow.CodeStrategy, Message: "there is no " + what + " in that account and region: make it, or correct the settings", Cause: err}
	case "KMSAccessDeniedException", "KMSDisabledException", "KMSInvalidStateException", "KMSNotFoundException", "InvalidKMSResourceException":
		return &flow.Error{Code: flow.CodeStrategy, Message: "the key of " + what + " can't be used: allow the role of the integration to use it", Cause: err}
	}
	err = account.Failure(err)
	if _, ok := errors.AsType[*flow.Error](err); ok || err == nil {
		return err
	}
	return &flow.Error{Code: flow.CodeUnavailable, Message: "AWS does not take records for " + what + ", and says " + account.Code(err), Cause: err}
}

// partly collects what a service says of each record of a call.
type partly map[int]error

// add notes that a record was not taken. What is throttled or of a fault of the service's
// is sent again.
func (p partly) add(i int, what, code string) {
	p[i] = flow.Errorf(flow.CodeUnavailable, "%s does not take all that it is sent, and says %s", what, code)
}

func (p partly) err() error {
	if len(p) == 0 {
		return nil
	}
	return &workflow.PartlySent{Errors: p}
}

// short is the error of an answer that does not speak of all records.
func short(what string, got, want int) error {
	return flow.Errorf(flow.CodeUnavailable, "%s has answered for %d of %d records", what, got, want)
}

func named(kind, name string) string { return fmt.Sprintf("%s %q", kind, name) }
