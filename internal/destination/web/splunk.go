package web

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"

	"github.com/symflows/symflows/internal/destination"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/vendorhttp"
	"github.com/symflows/symflows/internal/workflow"
)

// Limits of a call: Splunk Cloud takes 1 MB (max_content_length of limits.conf).
const (
	splunkBytes   = 1_000_000
	splunkRecords = 500
)

// Splunk opens an HTTP Event Collector: records are events of sourcetype sym:audit.
func (d Deps) Splunk(to flow.LogDestination) (workflow.Destination, error) {
	address, err := addressOf(to)
	if err != nil {
		return nil, err
	}
	if !strings.Contains(address.Path, "/services/collector") {
		address = address.JoinPath("services/collector/event")
	}
	return &splunk{Deps: d, to: to, address: address}, nil
}

type splunk struct {
	Deps
	to      flow.LogDestination
	address *url.URL
}

// hecEvent is an event of the collector.
type hecEvent struct {
	Time       float64           `json:"time"` // seconds
	Source     string            `json:"source"`
	SourceType string            `json:"sourcetype"`
	Index      string            `json:"index,omitempty"`
	Fields     map[string]string `json:"fields"` // indexed: receivers find repeated ones by it
	Event      json.RawMessage   `json:"event"`
}

// Limits implements [workflow.Destination].
func (*splunk) Limits() workflow.DestinationLimits {
	return workflow.DestinationLimits{Records: splunkRecords, Bytes: splunkBytes, Overhead: 250, Lanes: 1}
}

// Send implements [workflow.Destination].
func (s *splunk) Send(ctx context.Context, records []workflow.Outgoing) error {
	token, err := s.secret(ctx, s.to.Secrets, destination.SettingToken)
	if err != nil {
		return err
	}
	var body bytes.Buffer
	encoder := json.NewEncoder(&body)
	for _, r := range records {
		err := encoder.Encode(hecEvent{
			Time: float64(r.At.UnixMilli()) / 1000, Source: "sym", SourceType: "sym:audit", Index: s.to.Settings[destination.SettingIndex],
			Fields: map[string]string{"record": r.ID}, Event: r.Body,
		})
		if err != nil {
			return err
		}
	}
	client := s.client("Splunk", s.to, s.address)
	client.Authorize = func(context.Context, string) (string, error) { return "Splunk " + token, nil }
	client.Reason = splunkReason
	_, err = client.Send(ctx, vendorhttp.Request{
		Method: http.MethodPost, Path: s.address.String(), Body: body.Bytes(), Header: http.Header{"Content-Type": {"application/json"}},
	})
	s.refused(err, s.to.Secrets[destination.SettingToken])
	return splunkJudged(err)
}

// splunkReason reads what the collector says: {"text": "Invalid token", "code": 4}.
func splunkReason(body []byte) (code, message string) {
	var said struct {
		Text string `json:"text"`
		Code int    `json:"code"`
	}
	if json.Unmarshal(body, &said) != nil || said.Text == "" {
		return "", ""
	}
	return splunkCode[said.Code], said.Text
}

// splunkCode names the codes of the collector that are not about what was sent:
// https://docs.splunk.com/Documentation/Splunk/latest/Data/TroubleshootHTTPEventCollector.
var splunkCode = map[int]string{1: "TokenDisabled", 2: "TokenRequired", 3: "InvalidAuthorization", 4: "InvalidToken", 7: "IncorrectIndex", 10: "ChannelMissing", 11: "InvalidChannel", 14: "AckDisabled"}

// splunkJudged: a 400 that is about the collector, or the index, is of all records.
func splunkJudged(err error) error {
	said := judged(err)
	if e, ok := said.(*flow.Error); ok && e.Code == flow.CodeInvalid {
		for _, code := range splunkCode {
			if codeOf(err) == code {
				return err
			}
		}
	}
	return said
}
