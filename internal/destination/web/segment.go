package web

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"time"

	"github.com/symflows/symflows/internal/destination"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/vendorhttp"
	"github.com/symflows/symflows/internal/workflow"
)

// Limits of Segment's batches: https://segment.com/docs/connections/sources/catalog/libraries/server/http-api/#batch.
const (
	segmentBatch = 500 << 10 // bytes
	segmentCall  = 32 << 10  // bytes of one call in it
	segmentCalls = 2500
)

// Segment opens a source of Segment. A record is a track call: messageId makes Segment
// drop repeated ones, and the properties are the record.
func (d Deps) Segment(to flow.LogDestination) (workflow.Destination, error) {
	host, path := "api.segment.io", "/v1/batch"
	if to.Settings[destination.SettingRegion] == "eu" {
		host = "events.eu1.segmentapis.com"
	}
	if to.Integration == nil {
		return nil, flow.Errorf(flow.CodeStrategy, "log destination %q has no integration: set integration_id", to.Name)
	}
	return &segment{Deps: d, to: to, address: &url.URL{Scheme: "https", Host: host, Path: path}}, nil
}

type segment struct {
	Deps
	to      flow.LogDestination
	address *url.URL
}

// track is a call of the batch.
type track struct {
	Type       string          `json:"type"`
	MessageID  string          `json:"messageId"`
	UserID     string          `json:"userId"`
	Event      string          `json:"event"`
	Timestamp  time.Time       `json:"timestamp"`
	Properties json.RawMessage `json:"properties"`
}

// Limits implements [workflow.Destination].
func (*segment) Limits() workflow.DestinationLimits {
	return workflow.DestinationLimits{Records: segmentCalls, Bytes: segmentBatch - 1<<10, Overhead: 600, Lanes: 1}
}

// Send implements [workflow.Destination].
func (s *segment) Send(ctx context.Context, records []workflow.Outgoing) error {
	key, err := s.secret(ctx, s.to.Integration.Secrets, destination.SettingWriteKey)
	if err != nil {
		return err
	}
	var batch struct {
		Batch  []track   `json:"batch"`
		SentAt time.Time `json:"sentAt"` // by which Segment corrects clocks that are wrong
	}
	batch.SentAt = s.Now().UTC()
	refused := &workflow.PartlySent{Errors: map[int]error{}}
	for i, r := range records {
		call := track{Type: "track", MessageID: r.ID, UserID: r.Who, Event: "sym." + r.Event, Timestamp: r.At.UTC(), Properties: r.Body}
		size, err := json.Marshal(call)
		if err != nil {
			return err
		}
		if len(size) > segmentCall { // Segment answers 200 and drops it
			refused.Errors[i] = flow.Errorf(flow.CodeTooLarge, "it has %d bytes, and Segment takes %d", len(size), segmentCall)
			continue
		}
		batch.Batch = append(batch.Batch, call)
	}
	if len(batch.Batch) > 0 {
		authorize := func(context.Context, string) (string, error) { return basic(key), nil }
		client := s.client("Segment", s.to, s.address)
		client.Authorize = authorize
		_, err = client.Send(ctx, vendorhttp.Request{Method: http.MethodPost, Path: s.address.Path, Body: batch, Hide: []string{key}})
		if err != nil {
			s.refused(err, s.to.Integration.Secrets[destination.SettingWriteKey])
			return judged(err)
		}
	}
	if len(refused.Errors) > 0 {
		return refused
	}
	return nil
}

// basic is the header that signs in with a write key as the user name.
func basic(key string) string {
	r := http.Request{Header: http.Header{}}
	r.SetBasicAuth(key, "")
	return r.Header.Get("Authorization")
}
