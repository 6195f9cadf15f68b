package redrive_test

import (
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/symflows/symflows/internal/aws/awstest"
	"github.com/symflows/symflows/internal/aws/redrive"
)

const relay = "arn:aws:lambda:us-east-1:123456789012:function:sym-flows-relay"

// bucket is S3 with one bucket, addressed by path, whose listings have two
// objects a page.
type bucket struct {
	t       *testing.T
	objects map[string]string
	denied  bool
}

func (b *bucket) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	if path != "dead-letters" {
		b.t.Errorf("%s %s", r.Method, r.URL)
	}
	switch {
	case b.denied:
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprint(w, `<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>`)
	case r.Method == http.MethodGet && key == "":
		b.list(w, r)
	case r.Method == http.MethodGet && b.objects[key] != "":
		fmt.Fprint(w, b.objects[key])
	case r.Method == http.MethodDelete:
		delete(b.objects, key)
		w.WriteHeader(http.StatusNoContent)
	default:
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprint(w, `<Error><Code>NoSuchKey</Code><Message>The specified key does not exist.</Message></Error>`)
	}
}

func (b *bucket) list(w http.ResponseWriter, r *http.Request) {
	type object struct{ Key string }
	var out struct {
		XMLName               xml.Name `xml:"ListBucketResult"`
		IsTruncated           bool
		NextContinuationToken string `xml:",omitempty"`
		Contents              []object
	}
	for _, key := range slices.Sorted(maps.Keys(b.objects)) {
		if !strings.HasPrefix(key, r.URL.Query().Get("prefix")) || key <= r.URL.Query().Get("continuation-token") {
			continue
		}
		if len(out.Contents) == 2 {
			out.IsTruncated, out.NextContinuationToken = true, out.Contents[1].Key
			break
		}
		out.Contents = append(out.Contents, object{key})
	}
	if err := xml.NewEncoder(w).Encode(out); err != nil {
		b.t.Error(err)
	}
}

// functions answers by what the batch holds.
type functions struct {
	t      *testing.T
	called []string
}

func (f *functions) Invoke(_ context.Context, arn string, payload []byte) ([]byte, error) {
	var event struct{ Records []struct{ EventID string } }
	if err := json.Unmarshal(payload, &event); err != nil {
		f.t.Errorf("%s: %v", payload, err)
	}
	f.called = append(f.called, arn+" "+event.Records[0].EventID)
	switch event.Records[0].EventID {
	case "still-fails":
		return []byte(`{"batchItemFailures":[{"itemIdentifier":"1"}]}`), nil
	case "crashes":
		return nil, errors.New("function failed")
	case "odd":
		return []byte(`"what"`), nil
	}
	return []byte(`{"batchItemFailures":[]}`), nil
}

func kept(eventID string, asText bool) string {
	event := `{"Records":[{"eventID":"` + eventID + `","eventName":"MODIFY","eventSource":"aws:dynamodb","dynamodb":{"SequenceNumber":"1"}}]}`
	if asText {
		quoted, _ := json.Marshal(event)
		event = string(quoted)
	}
	return `{"requestContext":{"requestId":"r","functionArn":"` + relay + `","condition":"RetryAttemptsExhausted","approximateInvokeCount":21},` +
		`"version":"1.0","timestamp":"2026-03-02T09:00:00.000Z","DDBStreamBatchInfo":{"shardId":"shardId-1","batchSize":1},"payload":` + event + `}`
}

// Batches that are handled now are gone from the bucket, whatever form the
// payload has; all others stay, and it is told why.
func TestRun(t *testing.T) {
	t.Parallel()
	at := func(n int) string { return fmt.Sprintf("aws/lambda/mapping/shardId-1/2026/03/02/%d", n) }
	b := &bucket{t: t, objects: map[string]string{
		at(1): kept("a", false), at(2): kept("b", true), at(3): kept("still-fails", false), at(4): kept("crashes", false),
		at(5): kept("odd", false), at(6): "no JSON", at(7): `{"requestContext":{"functionArn":"` + relay + `"},"payload":{}}`,
		"other/object": "stays",
	}}
	f := &functions{t: t}
	cfg := awstest.Config(t, b)
	r := redrive.Bucket{Name: "dead-letters", Functions: f, API: s3.NewFromConfig(cfg, func(o *s3.Options) { o.UsePathStyle = true })}
	told := map[string]string{}
	if err := r.Run(t.Context(), func(o redrive.Outcome) { told[o.Key] = fmt.Sprint(o.Records, " ", o.Err) }); err != nil {
		t.Fatal(err)
	}
	for n, want := range map[int]string{
		1: "1 <nil>", 2: "1 <nil>", 3: "1 1 of its 1 records", 4: "1 function failed", 5: "1 its function answered",
		6: "0 it is not a record", 7: "0 it holds no batch",
	} {
		if !strings.HasPrefix(told[at(n)], want) {
			t.Errorf("object %d: %s, want %s", n, told[at(n)], want)
		}
	}
	if left := slices.Sorted(maps.Keys(b.objects)); !slices.Equal(left, []string{at(3), at(4), at(5), at(6), at(7), "other/object"}) {
		t.Errorf("left %v", left)
	}
	if want := []string{relay + " a", relay + " b", relay + " still-fails", relay + " crashes", relay + " odd"}; !slices.Equal(f.called, want) {
		t.Errorf("called %v", f.called)
	}
	b.denied = true
	if err := r.Run(t.Context(), func(redrive.Outcome) {}); err == nil || !strings.Contains(err.Error(), "dead-letters") {
		t.Errorf("without rights: %v", err)
	}
}
