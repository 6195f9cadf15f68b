package dynamotest

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	minidyn "github.com/truora/minidyn/server"
)

// TableName is the name of the one table.
const TableName = "symflows"

const region = "us-east-1"

// Server is a DynamoDB with one table.
type Server struct {
	engine engine
	http   *httptest.Server

	mu    sync.Mutex       // held for each request: they are served one by one
	fault func(Call) Fault // nil: none
	meter Meter

	changed     *sync.Cond
	records     []events.DynamoDBEventRecord
	closed      bool
	subscribers sync.WaitGroup
}

// Start starts a server whose table is empty. It ends with the test.
func Start(t testing.TB) *Server {
	t.Helper()
	s := &Server{engine: engine{minidyn.NewServer()}}
	s.changed = sync.NewCond(&s.mu)
	if a := s.engine.do("CreateTable", createTable()); !a.ok() {
		t.Fatalf("create table: %s", a.body)
	}
	s.http = httptest.NewServer(s)
	t.Cleanup(func() {
		s.http.CloseClientConnections()
		s.http.Close()
		s.endStream()
	})
	return s
}

// URL is the server's endpoint, for AWS_ENDPOINT_URL_DYNAMODB.
func (s *Server) URL() string { return s.http.URL }

// Config gives a configuration of the SDK that leads to the server. It waits as
// long as a slow machine takes.
func (s *Server) Config() aws.Config {
	return aws.Config{
		Region: region, BaseEndpoint: aws.String(s.URL()), HTTPClient: s.http.Client(),
		Credentials: credentials.NewStaticCredentialsProvider("test", "test", ""),
	}
}

// item is an item as it is on the wire, or some of its attributes.
type item = map[string]*minidyn.AttributeValue

// request has what is looked at in requests.
type request struct {
	TableName                           string                   `json:",omitempty"`
	Key                                 item                     `json:",omitempty"`
	Item                                item                     `json:",omitempty"`
	ConditionExpression                 string                   `json:",omitempty"`
	ExpressionAttributeNames            map[string]string        `json:",omitempty"`
	ExpressionAttributeValues           item                     `json:",omitempty"`
	ReturnValuesOnConditionCheckFailure string                   `json:",omitempty"`
	IndexName                           string                   `json:",omitempty"`
	KeyConditionExpression              string                   `json:",omitempty"`
	FilterExpression                    string                   `json:",omitempty"`
	Limit                               *int32                   `json:",omitempty"`
	ScanIndexForward                    *bool                    `json:",omitempty"`
	ConsistentRead                      bool                     `json:",omitempty"`
	RequestItems                        map[string]*requestItems `json:",omitempty"`
}

type requestItems struct {
	Keys           []item
	ConsistentRead bool `json:",omitempty"`
}

// ServeHTTP serves one request of the SDK.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_, op, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the client is gone
	}
	var in request
	if err := json.Unmarshal(body, &in); err != nil {
		refuse("SerializationException", err.Error()).write(w)
		return
	}
	fault := s.faultOf(Call{Op: op, Attempt: attemptOf(r.Header), Keys: leadingKeys(in)})
	a, refused := fault.refusal()
	if !refused {
		a = s.serve(op, in, fault)
	}
	switch fault {
	case AnswerLost:
		panic(http.ErrAbortHandler) // closes the connection
	case Silence:
		<-r.Context().Done()
	default:
		a.write(w)
	}
}

func (s *Server) serve(op string, in request, fault Fault) answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	if a, bad := check(op, in); bad {
		return a
	}
	switch op {
	case "GetItem":
		return s.get(in)
	case "PutItem":
		return s.put(in)
	case "DeleteItem":
		return s.delete(in)
	case "Query":
		return s.query(in)
	case "BatchGetItem":
		return s.batchGet(in, fault)
	}
	return refuse("UnknownOperationException", "dynamotest does not take "+op)
}

func (s *Server) get(in request) answer {
	a := s.engine.do("GetItem", in)
	if a.ok() {
		var out struct{ Item item }
		a.read(&out)
		s.meter.read(in.ConsistentRead, size(out.Item))
	}
	return a
}

func (s *Server) put(in request) answer {
	old := s.engine.get(keyOf(in.Item))
	first := in
	op, put := "PutItem", request{TableName: in.TableName, Item: in.Item}
	if old != nil {
		// The engine's indexes would still find it by what it was. So the old
		// item goes, on the same condition, and the new one comes.
		op, first.Item, first.Key = "DeleteItem", nil, keyOf(in.Item)
	}
	if a := s.engine.do(op, first); !a.ok() {
		s.meter.write(old, old)
		return a.with(in, old)
	}
	if old != nil {
		if a := s.engine.do("PutItem", put); !a.ok() {
			panic("dynamotest: put what was checked: " + string(a.body))
		}
	}
	s.wrote(old, in.Item)
	return success(struct{}{})
}

func (s *Server) delete(in request) answer {
	old := s.engine.get(in.Key)
	if a := s.engine.do("DeleteItem", in); !a.ok() {
		s.meter.write(old, old)
		return a.with(in, old)
	}
	s.wrote(old, nil)
	return success(struct{}{})
}

// wrote notes that an item was changed; nil stands for a missing item.
func (s *Server) wrote(old, new item) {
	s.meter.write(old, new)
	s.publish(old, new)
}

func (s *Server) query(in request) answer {
	a := s.engine.do("Query", in)
	if a.ok() {
		var out struct{ Items []item }
		a.read(&out)
		total := 0
		for _, entry := range out.Items {
			total += size(entry)
		}
		s.meter.read(in.ConsistentRead, total)
	}
	return a
}

func (s *Server) batchGet(in request, fault Fault) answer {
	a := s.engine.do("BatchGetItem", in)
	if !a.ok() {
		return a
	}
	asked := in.RequestItems[TableName]
	var all struct{ Responses map[string][]item }
	a.read(&all)
	found := map[string]item{}
	for _, i := range all.Responses[TableName] {
		found[textOf(i, schema.Key)] = i
	}
	out := struct {
		Responses       map[string][]item
		UnprocessedKeys map[string]*requestItems
	}{map[string][]item{}, map[string]*requestItems{}}
	var sizes []int
	for n, key := range asked.Keys {
		if fault == Partial && n > 0 {
			out.UnprocessedKeys[TableName] = &requestItems{asked.Keys[n:], asked.ConsistentRead}
			break
		}
		i := found[textOf(key, schema.Key)]
		sizes = append(sizes, size(i))
		if i != nil {
			out.Responses[TableName] = append(out.Responses[TableName], i)
		}
	}
	s.meter.read(asked.ConsistentRead, sizes...)
	return success(out)
}
