package functions_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
)

// serveLambda is Lambda's Invoke
// (https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html).
func (a *account) serveLambda(w http.ResponseWriter, r *http.Request, function string, payload []byte) {
	escaped, found := strings.CutPrefix(r.URL.EscapedPath(), "/2015-03-31/functions/")
	escaped, invocations := strings.CutSuffix(escaped, "/invocations")
	arn, err := url.PathUnescape(escaped)
	if !found || !invocations || err != nil || r.Method != http.MethodPost {
		writeFault(w, unknown(r.Method+" "+r.URL.Path))
		return
	}
	if err := a.faultOf(call{function: function, action: "lambda:InvokeFunction", resource: arn, input: payload}); err != nil {
		writeFault(w, err)
		return
	}
	a.mu.Lock()
	known := a.customers[arn] != nil || a.settingsOf(arn)
	a.mu.Unlock()
	if !known {
		writeFault(w, missing("Function not found: "+arn))
		return
	}
	if r.Header.Get("X-Amz-Invocation-Type") == "Event" {
		a.work.Go(func() { a.asynchronous(arn, payload) })
		w.WriteHeader(http.StatusAccepted)
		return
	}
	answer, failed := a.invoke(arn, payload)
	w.Header().Set("X-Amz-Executed-Version", "$LATEST")
	if failed != nil {
		w.Header().Set("X-Amz-Function-Error", "Unhandled")
		answer, _ = json.Marshal(failed) // two texts always encode
	}
	_, _ = w.Write(answer)
}

func (a *account) settingsOf(arn string) bool {
	_, ok := a.settings()[strings.TrimPrefix(arn, functionARN(""))]
	return ok
}

// asynchronous invokes a function that nobody waits for: up to three times, and
// what failed then is put where the function has it put
// (https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html).
// The pauses of one and two minutes are left out.
func (a *account) asynchronous(arn string, payload []byte) {
	for range 3 {
		if _, failed := a.invoke(arn, payload); failed == nil {
			return
		}
		if a.isClosing() {
			return
		}
	}
	switch arn { // where it has what failed put
	case functionARN("access"), functionARN("removal"):
		a.inItsName("access", "sqs:SendMessage", removalDeadLetters)
	case functionARN("publish"):
		a.inItsName("publish", "lambda:InvokeFunction", functionARN("unanswered"))
	}
	a.giveUp(arn, payload)
}

func (a *account) isClosing() bool {
	select {
	case <-a.closing:
		return true
	default:
		return false
	}
}

// giveUp keeps what can't be delivered.
func (a *account) giveUp(from string, payload []byte) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.deadLetters[from] = append(a.deadLetters[from], payload)
	a.change()
}
