package dynamotest

import (
	"net/http"
	"regexp"
	"strconv"
	"strings"
)

// Call is a request, before it is served.
type Call struct {
	Op string // "PutItem", …
	// Attempt says which try of the SDK this is, from 1.
	Attempt int
	// Keys are what the condition dynamodb:LeadingKeys of a policy would see:
	// the keys of items, or the partition of an index.
	Keys []string
}

// Fault is what becomes of a request.
type Fault int

// The faults.
const (
	None            Fault = iota // it is served
	Throttled                    // ProvisionedThroughputExceededException: a partition has too much to do
	TooManyRequests              // ThrottlingException: the account has
	Broken                       // InternalServerError
	AnswerLost                   // it is served, and the connection closes without an answer
	Silence                      // it is served, and no answer comes until the client gives up
	Partial                      // BatchGetItem leaves all keys but the first for another request
)

// Fail has fault decide what becomes of each request from now on; nil ends
// that. It may take its time, and make requests of its own.
func (s *Server) Fail(fault func(Call) Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault = fault
}

func (s *Server) faultOf(call Call) Fault {
	s.mu.Lock()
	fault := s.fault
	s.mu.Unlock()
	if fault == nil {
		return None
	}
	return fault(call)
}

// attemptOf reads the header "amz-sdk-request: attempt=1; max=3".
func attemptOf(h http.Header) int {
	_, rest, _ := strings.Cut(h.Get("Amz-Sdk-Request"), "attempt=")
	digits, _, _ := strings.Cut(rest, ";")
	n, err := strconv.Atoi(digits)
	if err != nil {
		return 1 // only retries need the header
	}
	return n
}

// refusal is the answer to a request that is not served.
func (f Fault) refusal() (answer, bool) {
	switch f {
	case Throttled:
		return refuse("ProvisionedThroughputExceededException", "The level of configured provisioned throughput for the table was exceeded"), true
	case TooManyRequests:
		return refuse("ThrottlingException", "Rate of requests exceeds the allowed throughput"), true
	case Broken:
		return refuse("InternalServerError", "The request processing has failed because of an unknown error"), true
	}
	return answer{}, false
}

// equality is the condition on the partition key in a key condition.
var equality = regexp.MustCompile(`#\w+ = (:\w+)`)

func leadingKeys(in request) []string {
	var keys []string
	for _, i := range []item{in.Key, in.Item} {
		if i != nil {
			keys = append(keys, textOf(i, schema.Key))
		}
	}
	if asked := in.RequestItems[TableName]; asked != nil {
		for _, key := range asked.Keys {
			keys = append(keys, textOf(key, schema.Key))
		}
	}
	if partition := equality.FindStringSubmatch(in.KeyConditionExpression); partition != nil {
		keys = append(keys, textOf(in.ExpressionAttributeValues, partition[1]))
	}
	return keys
}
