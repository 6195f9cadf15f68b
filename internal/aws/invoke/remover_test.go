package invoke

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/jonboulle/clockwork"

	"github.com/symflows/symflows/internal/aws/awstest"
	"github.com/symflows/symflows/internal/workflow"
	"github.com/symflows/symflows/internal/workflow/workflowtest"
)

func TestRemover(t *testing.T) {
	t.Parallel()
	const id = "0197f3c2-5b1e-4c7a-9d42-6f0e8a7b0000"
	for _, c := range []struct {
		name   string
		answer http.HandlerFunc
		fault  string
	}{
		{"Queued", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusAccepted) }, ""},
		{"Throttled", awstest.Service(func(string, []byte) (any, error) {
			return nil, &awstest.Fault{Status: http.StatusTooManyRequests, Code: "TooManyRequestsException", Message: "Rate Exceeded."}
		}).ServeHTTP, "TooManyRequestsException"},
		{"NoAnswer", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, id},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			remover := Remover{FunctionARN: arn, API: lambda.NewFromConfig(awstest.Config(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				path, _ := url.PathUnescape(r.URL.EscapedPath())
				if r.Header.Get("X-Amz-Invocation-Type") != "Event" || string(body) != `{"run":"`+id+`"}` || path != "/2015-03-31/functions/"+arn+"/invocations" {
					t.Errorf("%s %s %s: %s", r.Method, path, r.Header.Get("X-Amz-Invocation-Type"), body)
				}
				c.answer(w, r)
			})))}
			err := remover.Remove(t.Context(), id, time.Time{})
			if (err != nil) != (c.fault != "") || err != nil && !strings.Contains(err.Error(), c.fault) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestRemover_Suite(t *testing.T) {
	t.Parallel()
	workflowtest.Remover(t, func(t *testing.T, clock *clockwork.FakeClock) (workflow.Remover, func() []string) {
		var mu sync.Mutex
		var queued []string
		api := lambda.NewFromConfig(awstest.Config(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			var in workflow.DeescalateInput
			if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
				t.Error(err)
			}
			mu.Lock()
			queued = append(queued, in.Run)
			mu.Unlock()
			w.WriteHeader(http.StatusAccepted)
		})))
		r := Remover{API: api, FunctionARN: arn, Now: clock.Now}
		held := map[string]time.Time{}
		r.Later = func(_ context.Context, id string, at time.Time) error { held[id] = at; return nil }
		return r, func() []string {
			for id, at := range held { // as whoever reads the queue does
				if !at.After(clock.Now()) {
					if err := r.Call(t.Context(), id); err != nil {
						t.Error(err)
					}
				}
			}
			mu.Lock()
			defer mu.Unlock()
			return slices.Clone(queued)
		}
	})
}
