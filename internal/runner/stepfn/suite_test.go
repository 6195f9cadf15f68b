package stepfn

import (
	"context"
	"encoding/json"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/sfn"

	"github.com/symflows/symflows/internal/aws/awstest"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/runner"
	"github.com/symflows/symflows/internal/runner/runnertest"
	"github.com/symflows/symflows/internal/store"
)

func TestRunner(t *testing.T) {
	t.Parallel()
	runnertest.Run(t, func(t testing.TB, w *runnertest.World) (runner.Runner, func()) {
		return open(t, w, false)
	})
}

// The whole contract holds while Step Functions throttles each call once, which
// the SDK repeats.
func TestRunner_Throttled(t *testing.T) {
	t.Parallel()
	runnertest.Run(t, func(t testing.TB, w *runnertest.World) (runner.Runner, func()) {
		return open(t, w, true)
	})
}

// open makes the machine in a Step Functions of its own, whose functions do the
// tasks of the world.
func open(t testing.TB, w *runnertest.World, throttled bool) (runner.Runner, func()) {
	t.Helper()
	d, err := Definition(arns)
	if err != nil {
		t.Fatal(err)
	}
	var r Runner
	tasks := Tasks{Runs: store.Runs{Store: stored{run: w.Run}}, Now: w.Clock.Now}
	functions := map[string]*Tasks{}
	for name, arn := range arns {
		of := tasks
		of.Steps = map[flow.Step]Task{}
		functions[arn] = &of
		for _, spec := range flow.Steps {
			switch {
			case spec.Function == name && spec.WaitsForSignal:
				of.Await = w.Await
			case spec.Function == name:
				of.Steps[spec.Name] = w.Task(spec.Name)
			}
		}
	}
	s := serveStates(t, d, w.Clock.Now, func(arn string, payload []byte) ([]byte, string) {
		var in Input
		if err := json.Unmarshal(payload, &in); err != nil {
			t.Error(err)
		}
		out, err := functions[arn].Handle(context.Background(), in)
		if err != nil {
			return nil, nameOf(err)
		}
		answer, err := json.Marshal(out)
		if err != nil {
			t.Error(err)
		}
		return answer, ""
	})
	cfg := awstest.Config(t, awstest.Service(s.serve))
	if throttled {
		cfg = awstest.Config(t, throttle(awstest.Service(s.serve)))
		cfg.Retryer = func() aws.Retryer {
			return retry.NewStandard(func(o *retry.StandardOptions) {
				o.Backoff = retry.BackoffDelayerFunc(func(int, error) (time.Duration, error) { return 0, nil })
			})
		}
	}
	r = Runner{API: sfn.NewFromConfig(cfg), StateMachineARN: machineARN}
	for _, of := range functions {
		of.Runner = r
	}
	return r, s.settle
}

// throttle refuses the first try of each request.
func throttle(next http.Handler) http.Handler {
	var mu sync.Mutex
	refused := map[string]bool{}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := r.Header.Get("Amz-Sdk-Invocation-Id") // the same for all tries
		mu.Lock()
		again := refused[id]
		refused[id] = true
		mu.Unlock()
		if again {
			next.ServeHTTP(w, r)
			return
		}
		awstest.Service(func(string, []byte) (any, error) { return nil, bad("ThrottlingException", "Rate exceeded") }).ServeHTTP(w, r)
	})
}

// stored is a store that has the runs of a world.
type stored struct {
	store.Store // has nothing else
	run         func(id string) (flow.Run, error)
}

func (s stored) Get(_ context.Context, key string) (store.Item, error) {
	id, _ := store.KindRun.Name(key)
	r, err := s.run(id)
	if err != nil {
		return store.Item{}, store.ErrNotFound
	}
	body, err := json.Marshal(r)
	return store.Item{Key: key, Rev: 1, Body: body}, err
}
