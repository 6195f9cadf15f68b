package dynamo_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/store/dynamo"
	"github.com/symflows/symflows/internal/store/dynamo/dynamotest"
	"github.com/symflows/symflows/internal/store/storetest"
)

// start is when every test is.
var start = time.Date(2026, 3, 1, 12, 0, 0, 123456789, time.UTC)

func now() time.Time { return start }

// fixture is a store, its server, and what was asked of that.
type fixture struct {
	*testing.T
	*dynamo.Store
	server *dynamotest.Server

	mu    sync.Mutex
	calls []dynamotest.Call
}

// open opens an empty store that tries again at once. fault decides what
// becomes of each request.
func open(t *testing.T, fault func(dynamotest.Call) dynamotest.Fault) *fixture {
	t.Helper()
	f := &fixture{T: t, server: dynamotest.Start(t)}
	cfg := f.server.Config()
	cfg.Retryer = atOnce
	f.Store = dynamo.New(cfg, dynamotest.TableName, now)
	f.server.Fail(func(call dynamotest.Call) dynamotest.Fault {
		f.mu.Lock()
		f.calls = append(f.calls, call)
		f.mu.Unlock()
		return fault(call)
	})
	return f
}

const attempts = 4

// atOnce tries again without waiting, however much goes wrong.
func atOnce() aws.Retryer {
	return retry.NewStandard(func(o *retry.StandardOptions) {
		o.MaxAttempts = attempts
		o.RateLimiter = ratelimit.None
		o.Backoff = retry.BackoffDelayerFunc(func(int, error) (time.Duration, error) { return 0, nil })
	})
}

func healthy(dynamotest.Call) dynamotest.Fault { return dynamotest.None }

// first has the first try of each request of an operation go wrong.
func first(op string, fault dynamotest.Fault) func(dynamotest.Call) dynamotest.Fault {
	return func(call dynamotest.Call) dynamotest.Fault {
		if call.Op == op && call.Attempt == 1 {
			return fault
		}
		return dynamotest.None
	}
}

// asked gives the requests since it was called last.
func (f *fixture) asked() []dynamotest.Call {
	f.mu.Lock()
	defer f.mu.Unlock()
	calls := f.calls
	f.calls = nil
	return calls
}

// made gives how many of them were of an operation.
func (f *fixture) made(op string) int {
	n := 0
	for _, call := range f.asked() {
		if call.Op == op {
			n++
		}
	}
	return n
}

// put writes an item, and returns it as it must be stored.
func (f *fixture) put(item store.Item) store.Item {
	f.Helper()
	if item.Writer == "" {
		item.Writer = store.NewWriter()
	}
	rev, err := f.Put(f.Context(), item)
	if err != nil || rev != item.Rev+1 {
		f.Fatalf("put %s at %d gave %d, %v", item.Key, item.Rev, rev, err)
	}
	item.Rev = rev
	return item
}

// raw gives the attributes of an item.
func (f *fixture) raw(key string) map[string]types.AttributeValue {
	f.Helper()
	out, err := dynamodb.NewFromConfig(f.server.Config()).GetItem(f.Context(), &dynamodb.GetItemInput{
		TableName: aws.String(dynamotest.TableName),
		Key:       map[string]types.AttributeValue{dynamo.Schema().Key: &types.AttributeValueMemberS{Value: key}},
	})
	if err != nil {
		f.Fatal(err)
	}
	return out.Item
}

func TestStore(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t testing.TB, now func() time.Time) store.Store {
		return dynamo.New(dynamotest.Start(t).Config(), dynamotest.TableName, now)
	})
}

// The whole contract holds while nothing works at once.
func TestStore_Throttled(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t testing.TB, now func() time.Time) store.Store {
		server := dynamotest.Start(t)
		server.Fail(func(call dynamotest.Call) dynamotest.Fault {
			switch call.Attempt {
			case 1:
				return dynamotest.Throttled
			case 2:
				return dynamotest.Broken
			case 3:
				return dynamotest.TooManyRequests
			}
			return dynamotest.None
		})
		cfg := server.Config()
		cfg.Retryer = atOnce
		return dynamo.New(cfg, dynamotest.TableName, now)
	})
}

// calls are the four ways to ask for something, on a table that has "run#a".
var calls = map[string]struct {
	op string
	do func(context.Context, *fixture) error
}{
	"Get": {"GetItem", func(ctx context.Context, f *fixture) error { _, err := f.Get(ctx, "run#a"); return err }},
	"Create": {"PutItem", func(ctx context.Context, f *fixture) error {
		_, err := f.Put(ctx, store.Item{Key: "run#b", Writer: "w"})
		return err
	}},
	"Put": {"PutItem", func(ctx context.Context, f *fixture) error {
		_, err := f.Put(ctx, store.Item{Key: "run#a", Rev: 1, Writer: "w"})
		return err
	}},
	"Delete": {"DeleteItem", func(ctx context.Context, f *fixture) error { return f.Delete(ctx, "run#a", 1) }},
	"Query": {"Query", func(ctx context.Context, f *fixture) error {
		_, err := f.List(ctx, store.Query{By: store.ByKind, Value: "run#"})
		return err
	}},
	"Read": {"BatchGetItem", func(ctx context.Context, f *fixture) error {
		_, err := f.List(ctx, store.Query{By: store.ByKind, Value: "run#"})
		return err
	}},
}

// A fault that passes is not returned.
func TestStore_FaultPasses(t *testing.T) {
	t.Parallel()
	for name, call := range calls {
		for _, fault := range []dynamotest.Fault{dynamotest.Throttled, dynamotest.TooManyRequests, dynamotest.Broken, dynamotest.AnswerLost} {
			t.Run(fmt.Sprint(name, "/", fault), func(t *testing.T) {
				t.Parallel()
				f := open(t, healthy)
				f.put(store.Item{Key: "run#a"})
				f.made(call.op)
				f.server.Fail(first(call.op, fault))
				if err := call.do(t.Context(), f); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

// A fault that stays is an error that says nothing about the item.
func TestStore_FaultStays(t *testing.T) {
	t.Parallel()
	for name, call := range calls {
		for _, fault := range []dynamotest.Fault{dynamotest.Throttled, dynamotest.TooManyRequests, dynamotest.Broken, dynamotest.AnswerLost} {
			t.Run(fmt.Sprint(name, "/", fault), func(t *testing.T) {
				t.Parallel()
				var on atomic.Bool
				f := open(t, func(c dynamotest.Call) dynamotest.Fault {
					if on.Load() && c.Op == call.op {
						return fault
					}
					return dynamotest.None
				})
				f.put(store.Item{Key: "run#a"})
				f.made(call.op)
				on.Store(true)
				err := call.do(t.Context(), f)
				if err == nil || errors.Is(err, store.ErrConflict) || errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrTooLarge) {
					t.Errorf("%v, want an error of the machinery", err)
				}
				if n := f.made(call.op); n != attempts {
					t.Errorf("tried %d times, want %d", n, attempts)
				}
			})
		}
	}
}

// inAWS is the store as it is there, where nothing is configured.
func (f *fixture) inAWS() *dynamo.Store {
	cfg := f.server.Config()
	cfg.HTTPClient = nil
	return dynamo.New(cfg, dynamotest.TableName, now)
}

func TestNew_TriesAgain(t *testing.T) {
	t.Parallel()
	f := open(t, func(c dynamotest.Call) dynamotest.Fault {
		if c.Attempt < 4 {
			return dynamotest.Throttled
		}
		return dynamotest.None
	})
	if _, err := f.Put(t.Context(), store.Item{Key: "run#a", Writer: "w"}); err != nil {
		t.Error(err)
	}
}

// A connection on which nothing comes is given up, long before the caller is.
func TestNew_GivesUpSilence(t *testing.T) {
	t.Parallel()
	f := open(t, first("PutItem", dynamotest.Silence))
	if rev, err := f.inAWS().Put(t.Context(), store.Item{Key: "run#a", Writer: "w"}); err != nil || rev != 1 {
		t.Errorf("put gave %d, %v", rev, err)
	}
	if n := f.made("PutItem"); n < 2 {
		t.Errorf("tried %d times, want 2", n)
	}
}

func TestStore_CancelledInSilence(t *testing.T) {
	t.Parallel()
	for name, call := range calls {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			f := open(t, healthy)
			f.put(store.Item{Key: "run#a"})
			f.server.Fail(func(c dynamotest.Call) dynamotest.Fault {
				if c.Op != call.op {
					return dynamotest.None
				}
				cancel()
				return dynamotest.Silence
			})
			if err := call.do(ctx, f); !errors.Is(err, context.Canceled) {
				t.Errorf("%v, want context.Canceled", err)
			}
		})
	}
}

func TestPut_AnswerLost(t *testing.T) {
	t.Parallel()
	f := open(t, first("PutItem", dynamotest.AnswerLost))
	changes := make(chan store.Change, 10)
	f.server.Subscribe(func(r events.DynamoDBEventRecord) {
		if c, ok := dynamo.Changes(r); ok {
			changes <- c
		}
	})
	item := store.Item{Key: "run#a"}
	for n := range int64(3) {
		item.Body, item.Writer = fmt.Append(nil, n), ""
		item = f.put(item)
		if tries := f.made("PutItem"); tries != 2 {
			t.Errorf("put at %d: %d tries, want 2", n, tries)
		}
		// Each write is in the stream once: the second try wrote nothing.
		if got, want := <-changes, (store.Change{Key: "run#a", Rev: n + 1}); got != want {
			t.Errorf("change %+v, want %+v", got, want)
		}
	}
}

// A write between the two tries wins: the second try finds its item.
func TestPut_AnswerLostAndOvertaken(t *testing.T) {
	t.Parallel()
	var f *fixture
	var overtaking atomic.Bool
	f = open(t, func(call dynamotest.Call) dynamotest.Fault {
		switch {
		case call.Op != "PutItem" || overtaking.Load():
			return dynamotest.None
		case call.Attempt == 1:
			return dynamotest.AnswerLost
		}
		overtaking.Store(true)
		if _, err := f.Put(t.Context(), store.Item{Key: "run#a", Rev: 1, Writer: "theirs"}); err != nil {
			t.Error(err)
		}
		return dynamotest.None
	})
	if _, err := f.Put(t.Context(), store.Item{Key: "run#a", Writer: "mine"}); !errors.Is(err, store.ErrConflict) {
		t.Errorf("%v, want ErrConflict", err)
	}
}

// endpointTest is the environment variable that makes the test binary write
// and read an item with the SDK's own configuration, and say what it read.
const endpointTest = "SYMFLOWS_TEST_ENDPOINT"

func TestMain(m *testing.M) {
	if os.Getenv(endpointTest) == "" {
		os.Exit(m.Run())
	}
	if err := writeAndRead(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func writeAndRead(ctx context.Context) error {
	cfg, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return err
	}
	s := dynamo.New(cfg, dynamotest.TableName, now)
	if _, err := s.Put(ctx, store.Item{Key: "run#a", Writer: "w", Body: []byte("there and back")}); err != nil {
		return err
	}
	item, err := s.Get(ctx, "run#a")
	if err != nil {
		return err
	}
	fmt.Print(string(item.Body))
	return nil
}

// The standard variables lead to another endpoint, such as an emulator's.
func TestNew_Endpoint(t *testing.T) {
	t.Parallel()
	for _, variable := range []string{"AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_DYNAMODB"} {
		t.Run(variable, func(t *testing.T) {
			t.Parallel()
			server := dynamotest.Start(t)
			cmd := exec.CommandContext(t.Context(), os.Args[0])
			cmd.Env = []string{
				endpointTest + "=1", variable + "=" + server.URL(), "HOME=" + t.TempDir(),
				"AWS_REGION=us-east-1", "AWS_ACCESS_KEY_ID=test", "AWS_SECRET_ACCESS_KEY=test",
			}
			out, err := cmd.CombinedOutput()
			if err != nil || string(out) != "there and back" {
				t.Errorf("%v: %s", err, out)
			}
			if got := server.Meter(); got.Writes != 1 || got.Reads != 1 {
				t.Errorf("the server saw %+v, want a write and a read", got)
			}
		})
	}
}
