// Package awstest serves the HTTP protocols of AWS to tests, so that adapters
// are tested through AWS's own client against what AWS documents.
package awstest

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
)

// Fault is an error as AWS answers it.
type Fault struct {
	Status  int
	Code    string // "ThrottlingException"
	Message string
}

func (f *Fault) Error() string { return f.Code + ": " + f.Message }

// Service answers operations of a service that speaks JSON. The operation is
// its name ("PutRecordBatch") in the protocols awsJson1_0 and awsJson1_1, and
// method and address ("PUT /schedules/x") in restJson1
// (https://smithy.io/2.0/aws/protocols/). The answer is the output to encode;
// its error is a *[Fault].
type Service func(operation string, input []byte) (any, error)

// ServeHTTP makes a Service a handler for [Config].
func (s Service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	input, err := io.ReadAll(r.Body)
	if err != nil {
		return // the client went away
	}
	_, operation, rpc := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	if !rpc {
		operation = r.Method + " " + r.URL.RequestURI()
	}
	output, err := s(operation, input)
	w.Header().Set("Content-Type", r.Header.Get("Content-Type"))
	if err == nil {
		json.NewEncoder(w).Encode(output)
		return
	}
	fault, ok := errors.AsType[*Fault](err)
	if !ok {
		fault = &Fault{http.StatusInternalServerError, "InternalFailure", err.Error()}
	}
	body := map[string]string{"message": fault.Message}
	if rpc { // with a name space, as the older services write it
		body["__type"] = "com.amazonaws.service.v1#" + fault.Code
	} else {
		w.Header().Set("X-Amzn-ErrorType", fault.Code+":http://internal.amazon.com/coral/com.amazonaws.service/")
	}
	w.WriteHeader(fault.Status)
	json.NewEncoder(w).Encode(body)
}

// Config configures clients that call the handler, which is served until the
// test ends, and don't repeat what fails.
func Config(t testing.TB, h http.Handler) aws.Config {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return aws.Config{
		BaseEndpoint: aws.String(server.URL), Region: "us-east-1", HTTPClient: server.Client(),
		Credentials: credentials.NewStaticCredentialsProvider("id", "secret", ""),
		Retryer:     func() aws.Retryer { return aws.NopRetryer{} },
	}
}
