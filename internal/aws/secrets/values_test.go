package secrets

import (
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/symflows/symflows/internal/aws/awstest"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/strategy"
	"github.com/symflows/symflows/internal/strategy/strategytest"
)

// Strategies take the values from here.
var _ strategy.Secrets = (*Values)(nil)

// manager is Secrets Manager.
type manager struct {
	t *testing.T
	// answering, unless nil, is called while a secret is being asked for.
	answering func(path string)

	mu    sync.Mutex
	kept  map[string]string
	fault *awstest.Fault
	asked map[string]int
}

func (m *manager) serve(operation string, input []byte) (any, error) {
	var in struct{ SecretId string }
	if err := json.Unmarshal(input, &in); err != nil || operation != "GetSecretValue" {
		m.t.Errorf("%s %s: %v", operation, input, err)
	}
	if m.answering != nil {
		m.answering(in.SecretId)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.asked[in.SecretId]++
	if m.fault != nil {
		return nil, m.fault
	}
	text, ok := m.kept[in.SecretId]
	switch {
	case !ok:
		return nil, &awstest.Fault{Status: http.StatusBadRequest, Code: "ResourceNotFoundException", Message: "Secrets Manager can't find the specified secret."}
	case strings.HasPrefix(in.SecretId, "binary/"):
		return map[string]any{"Name": in.SecretId, "SecretBinary": []byte(text)}, nil
	}
	return map[string]any{"Name": in.SecretId, "SecretString": text, "VersionStages": []string{"AWSCURRENT"}}, nil
}

type hands struct {
	mu  sync.Mutex
	now time.Time
}

func (h *hands) Now() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.now
}

func (h *hands) move(d time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.now = h.now.Add(d)
}

func open(t *testing.T) (*Values, *manager, *hands) {
	t.Helper()
	m := &manager{t: t, asked: map[string]int{}, kept: map[string]string{
		"sym/slack":   `{"bot_token":"s3cret-bot","signing_secret":"s3cret-signing"}`,
		"sym/hmac":    "s3cret-hmac",
		"binary/hmac": "s3cret-bytes",
	}}
	h := &hands{now: time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)}
	return &Values{API: secretsmanager.NewFromConfig(awstest.Config(t, awstest.Service(m.serve))), Now: h.Now}, m, h
}

func TestValuesValue(t *testing.T) {
	t.Parallel()
	values, m, _ := open(t)
	for _, c := range []struct{ path, key, want string }{
		{"sym/slack", "bot_token", "s3cret-bot"},
		{"sym/slack", "signing_secret", "s3cret-signing"},
		{"sym/slack", "", m.kept["sym/slack"]},
		{"sym/hmac", "", "s3cret-hmac"},
		{"binary/hmac", "", "s3cret-bytes"},
	} {
		got, err := values.Value(t.Context(), flow.SecretRef{Path: c.path, JSONKey: c.key})
		if err != nil || got != c.want {
			t.Errorf("%s %s: got %q, %v", c.path, c.key, got, err)
		}
	}
	if m.asked["sym/slack"] != 1 {
		t.Errorf("asked %d times for the keys of one secret", m.asked["sym/slack"])
	}
}

func TestValuesValue_rotated(t *testing.T) {
	t.Parallel()
	values, m, hands := open(t)
	ref := flow.SecretRef{Name: "hmac", Path: "sym/hmac"}
	for _, c := range []struct {
		after time.Duration
		want  string
	}{
		{0, "s3cret-hmac"},
		{fresh - time.Nanosecond, "s3cret-hmac"},
		{time.Nanosecond, "s3cret-rotated"},
		{fresh - time.Nanosecond, "s3cret-rotated"},
	} {
		hands.move(c.after)
		if got, err := values.Value(t.Context(), ref); err != nil || got != c.want {
			t.Errorf("at %v: got %q, %v; want %q", hands.Now(), got, err, c.want)
		}
		m.mu.Lock()
		m.kept["sym/hmac"] = "s3cret-rotated"
		m.mu.Unlock()
	}
	if m.asked["sym/hmac"] != 2 {
		t.Errorf("asked %d times, want 2", m.asked["sym/hmac"])
	}
}

// TestValuesForget: what is forgotten is read anew, once.
func TestValuesForget(t *testing.T) {
	t.Parallel()
	values, m, _ := open(t)
	ref := flow.SecretRef{Name: "hmac", Path: "sym/hmac"}
	values.Forget(ref) // which is not known yet
	for _, want := range []string{"s3cret-hmac", "s3cret-rotated", "s3cret-rotated"} {
		if got, err := values.Value(t.Context(), ref); err != nil || got != want {
			t.Errorf("got %q, %v; want %q", got, err, want)
		}
		m.mu.Lock()
		if m.kept["sym/hmac"] != "s3cret-rotated" {
			m.kept["sym/hmac"] = "s3cret-rotated"
			values.Forget(ref)
		}
		m.mu.Unlock()
	}
	if m.asked["sym/hmac"] != 2 {
		t.Errorf("asked %d times, want 2", m.asked["sym/hmac"])
	}
}

func TestValuesValue_errors(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		ref   flow.SecretRef
		fault *awstest.Fault
		want  string
	}{
		{"NotThere", flow.SecretRef{Name: "okta", Path: "sym/okta"}, nil, "has no value"},
		{"NoSuchKey", flow.SecretRef{Name: "slack", Path: "sym/slack", JSONKey: "app_token"}, nil, `no key "app_token"`},
		{"NoObject", flow.SecretRef{Name: "hmac", Path: "sym/hmac", JSONKey: "key"}, nil, "no JSON object"},
		{"Deleted", flow.SecretRef{Path: "sym/hmac"}, &awstest.Fault{Status: 400, Code: "InvalidRequestException", Message: "it was marked for deletion"}, "restore it"},
		{"Forbidden", flow.SecretRef{Path: "sym/hmac"}, &awstest.Fault{Status: 400, Code: "AccessDeniedException", Message: "not authorized"}, "we may not read"},
		{"Encrypted", flow.SecretRef{Path: "sym/hmac"}, &awstest.Fault{Status: 400, Code: "DecryptionFailure", Message: "no key"}, "KMS key"},
		{"Throttled", flow.SecretRef{Path: "sym/hmac"}, &awstest.Fault{Status: 400, Code: "ThrottlingException", Message: "Rate exceeded"}, "could not be read"},
		{"Broken", flow.SecretRef{Path: "sym/hmac"}, &awstest.Fault{Status: 500, Code: "InternalServiceError", Message: "oops"}, "could not be read"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			values, m, _ := open(t)
			m.fault = c.fault
			got, err := values.Value(t.Context(), c.ref)
			if got != "" || flow.CodeOf(err) != flow.CodeUnavailable {
				t.Fatalf("got %q, %v", got, err)
			}
			if shown := flow.UserMessage(err); !strings.Contains(shown, c.want) || !strings.Contains(shown, c.ref.Path) {
				t.Errorf("shown %q", shown)
			}
			if strings.Contains(err.Error(), "s3cret") {
				t.Errorf("the error shows a value: %v", err)
			}
		})
	}
}

// TestValuesValue_recovers: an error is not remembered.
func TestValuesValue_recovers(t *testing.T) {
	t.Parallel()
	values, m, _ := open(t)
	m.fault = &awstest.Fault{Status: 500, Code: "InternalServiceError", Message: "oops"}
	ref := flow.SecretRef{Path: "sym/hmac"}
	if _, err := values.Value(t.Context(), ref); err == nil {
		t.Fatal("a broken service gave a value")
	}
	m.fault = nil
	if got, err := values.Value(t.Context(), ref); err != nil || got != "s3cret-hmac" {
		t.Errorf("got %q, %v", got, err)
	}
}

// TestValuesPrefetch: all are asked for at the same time, each once, and one
// that is missing does not keep the others from being read.
func TestValuesPrefetch(t *testing.T) {
	t.Parallel()
	values, m, _ := open(t)
	var all sync.WaitGroup // comes through when every path has been asked for
	all.Add(3)
	m.answering = func(string) { all.Done(); all.Wait() }
	err := values.Prefetch(t.Context(),
		flow.SecretRef{Path: "sym/slack", JSONKey: "bot_token"}, flow.SecretRef{Path: "sym/slack", JSONKey: "signing_secret"},
		flow.SecretRef{Path: "sym/hmac"}, flow.SecretRef{Path: "sym/okta"})
	if flow.CodeOf(err) != flow.CodeUnavailable || !strings.Contains(err.Error(), "sym/okta") || strings.Contains(err.Error(), "sym/hmac") {
		t.Errorf("got %v", err)
	}
	if got, err := values.Value(t.Context(), flow.SecretRef{Path: "sym/slack", JSONKey: "bot_token"}); err != nil || got != "s3cret-bot" {
		t.Errorf("got %q, %v", got, err)
	}
	if m.asked["sym/slack"] != 1 || m.asked["sym/hmac"] != 1 || m.asked["sym/okta"] != 1 {
		t.Errorf("asked %v", m.asked)
	}
}

// TestValuesValue_partialARN: Secrets Manager takes an ARN for whole that ends in
// a dash and six letters, and finds nothing, though they belong to the name.
func TestValuesValue_partialARN(t *testing.T) {
	t.Parallel()
	const (
		ours   = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:"
		theirs = "arn:aws:secretsmanager:eu-west-1:210987654321:secret:"
	)
	var mu sync.Mutex
	regions := map[string]bool{}
	service := awstest.Service(func(_ string, input []byte) (any, error) {
		var in struct{ SecretId string }
		if err := json.Unmarshal(input, &in); err != nil {
			t.Error(err)
		}
		switch in.SecretId {
		case "client-secret", ours + "client-secret-a1B2c3":
			return map[string]any{"ARN": ours + "client-secret-a1B2c3", "SecretString": "s3cret"}, nil
		}
		return nil, &awstest.Fault{Status: http.StatusBadRequest, Code: "ResourceNotFoundException", Message: "Secrets Manager can't find the specified secret."}
	})
	cfg := awstest.Config(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		regions[strings.Split(r.Header.Get("Authorization"), "/")[2]] = true
		mu.Unlock()
		service.ServeHTTP(w, r)
	}))
	values := &Values{API: secretsmanager.NewFromConfig(cfg), Now: time.Now}
	for path, want := range map[string]string{
		ours + "client-secret":        "s3cret",
		ours + "client-secret-a1B2c3": "s3cret",
		theirs + "client-secret":      "", // the name is that of another's
		ours + "other-secret":         "",
	} {
		got, err := values.Value(t.Context(), flow.SecretRef{Path: path})
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%s: %q, %v", path, got, err)
		}
	}
	if len(regions) != 1 || !regions["eu-west-1"] {
		t.Errorf("asked in %v", regions)
	}
}

func TestSecrets(t *testing.T) {
	t.Parallel()
	strategytest.Secrets(t, func(t *testing.T, kept map[string]string) strategy.Secrets {
		values, m, _ := open(t)
		m.kept = kept
		return values
	})
}
