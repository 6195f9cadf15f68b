package awsfake

import (
	"cmp"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/symflows/symflows/internal/strategy/strategytest"
)

// service is what answers calls that are signed for it.
type service struct {
	protocol   protocol
	operations []*operation
	broken     *Fault
	conflict   *Fault // of a change, while another one is under way
	denied     func(*request) *Fault
	throttled  func(wait time.Duration) *Fault
}

// operation is one of a service.
type operation struct {
	name string
	// path is that of restJson1, method and pattern as net/http has them:
	// "POST /clusters/{cluster}/access-entries".
	path  string
	do    func(*request) (any, error)
	event string // "escalate" or "deescalate" for changes that grant or remove
	whose func(*request) string
}

// request is a call of an operation.
type request struct {
	fake   *Fake
	http   *http.Request // with path values, for restJson1
	who    principal
	region string
	op     *operation
	form   url.Values // awsQuery
	body   []byte     // the others
	now    time.Time
	behind time.Duration // how stale reads are
	mood   strategytest.Mood
}

// read decodes the input of a JSON protocol.
func (q *request) read(in any) error {
	if len(q.body) == 0 {
		return nil
	}
	if err := json.Unmarshal(q.body, in); err != nil {
		return &Fault{http.StatusBadRequest, "SerializationException", err.Error(), nil}
	}
	return nil
}

// protocol is how a service speaks (https://smithy.io/2.0/aws/protocols/).
type protocol interface {
	find(*service, *request, []byte) (*operation, error)
	answer(http.ResponseWriter, *request, any)
	fault(http.ResponseWriter, *Fault)
}

func (s *service) find(q *request, body []byte) (*operation, error) {
	op, err := s.protocol.find(s, q, body)
	q.op = op
	return op, err
}

func (s *service) named(name string) (*operation, error) {
	for _, op := range s.operations {
		if op.name == name {
			return op, nil
		}
	}
	return nil, &Fault{http.StatusBadRequest, "InvalidAction", "Could not find operation " + name, nil}
}

func asFault(err error) *Fault {
	if f, ok := errors.AsType[*Fault](err); ok {
		return f
	}
	return &Fault{http.StatusInternalServerError, "InternalFailure", err.Error(), nil}
}

// awsQuery takes forms and answers in XML. Outputs are structs with xml tags, or
// nil.
type awsQuery struct{ version string }

func (p awsQuery) find(s *service, q *request, body []byte) (*operation, error) {
	var err error
	if q.form, err = url.ParseQuery(string(body)); err != nil {
		return nil, &Fault{http.StatusBadRequest, "MalformedQueryString", err.Error(), nil}
	}
	if got := q.form.Get("Version"); q.http.Method != http.MethodPost || got != p.version {
		return nil, &Fault{http.StatusBadRequest, "InvalidAction", q.http.Method + " of version " + got, nil}
	}
	return s.named(q.form.Get("Action"))
}

func (awsQuery) answer(w http.ResponseWriter, q *request, out any) {
	w.Header().Set("Content-Type", "text/xml")
	name := q.op.name
	fmt.Fprintf(w, "<%sResponse>", name)
	if out != nil {
		e := xml.NewEncoder(w)
		if err := e.EncodeElement(out, xml.StartElement{Name: xml.Name{Local: name + "Result"}}); err != nil {
			panic(err)
		}
	}
	fmt.Fprintf(w, "<ResponseMetadata><RequestId>7a62c49f-347e-4fc4-9331-6e8eEXAMPLE</RequestId></ResponseMetadata></%sResponse>", name)
}

func (awsQuery) fault(w http.ResponseWriter, f *Fault) {
	w.Header().Set("Content-Type", "text/xml")
	w.WriteHeader(f.Status)
	kind := "Sender"
	if f.Status >= 500 {
		kind = "Receiver"
	}
	io.WriteString(w, "<ErrorResponse><Error><Type>"+kind+"</Type><Code>"+f.Code+"</Code><Message>")
	xml.EscapeText(w, []byte(f.Message))
	io.WriteString(w, "</Message></Error><RequestId>7a62c49f-347e-4fc4-9331-6e8eEXAMPLE</RequestId></ErrorResponse>")
}

// awsJSON is awsJson1_1: the header X-Amz-Target names the operation.
type awsJSON struct{ prefix string }

func (p awsJSON) find(s *service, q *request, body []byte) (*operation, error) {
	q.body = body
	name, ok := strings.CutPrefix(q.http.Header.Get("X-Amz-Target"), p.prefix+".")
	if !ok || q.http.Method != http.MethodPost {
		return nil, &Fault{http.StatusBadRequest, "UnknownOperationException", "no target of " + p.prefix, nil}
	}
	return s.named(name)
}

func (awsJSON) answer(w http.ResponseWriter, _ *request, out any) {
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	writeJSON(w, out)
}

func (awsJSON) fault(w http.ResponseWriter, f *Fault) {
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	w.WriteHeader(f.Status)
	writeJSON(w, f.members("Message"))
}

// restJSON is restJson1: method and path name the operation.
type restJSON struct{}

func (restJSON) find(s *service, q *request, body []byte) (*operation, error) {
	q.body = body
	var found *operation
	mux := http.NewServeMux()
	for _, op := range s.operations {
		mux.HandleFunc(op.path, func(_ http.ResponseWriter, r *http.Request) { found, q.http = op, r })
	}
	mux.ServeHTTP(nowhere{}, q.http)
	if found == nil {
		return nil, &Fault{http.StatusNotFound, "UnknownOperationException", q.http.Method + " " + q.http.URL.Path, nil}
	}
	return found, nil
}

func (restJSON) answer(w http.ResponseWriter, _ *request, out any) {
	if out == nil {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	writeJSON(w, out)
}

func (restJSON) fault(w http.ResponseWriter, f *Fault) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Amzn-ErrorType", f.jsonCode())
	w.WriteHeader(f.Status)
	writeJSON(w, f.members("message"))
}

// jsonCodes are those that services which speak JSON write in their own way.
var jsonCodes = map[string]string{
	"AccessDenied": "AccessDeniedException", "ExpiredToken": "ExpiredTokenException", "InvalidClientTokenId": "UnrecognizedClientException",
	"SignatureDoesNotMatch": "InvalidSignatureException",
}

func (f *Fault) jsonCode() string { return cmp.Or(jsonCodes[f.Code], f.Code) }

func (f *Fault) members(message string) map[string]any {
	m := map[string]any{"__type": f.jsonCode(), message: f.Message}
	maps.Copy(m, f.Fields)
	return m
}

func writeJSON(w io.Writer, v any) {
	if v == nil {
		v = struct{}{}
	}
	if err := json.NewEncoder(w).Encode(v); err != nil {
		panic(err)
	}
}

// nowhere takes what a mux answers where it finds nothing.
type nowhere struct{}

func (nowhere) Header() http.Header         { return http.Header{} }
func (nowhere) Write(b []byte) (int, error) { return len(b), nil }
func (nowhere) WriteHeader(int)             {}
