package web

import (
	"context"
	"net/http"
	"net/url"
	"strconv"

	"github.com/symflows/symflows/events"
	"github.com/symflows/symflows/internal/destination"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/vendorhttp"
	"github.com/symflows/symflows/internal/workflow"
)

// Server opens a server of the customer's: a POST for each record, whose headers are those
// of an http strategy's calls. Any answer of 2xx says that it has the record.
func (d Deps) Server(to flow.LogDestination) (workflow.Destination, error) {
	address, err := addressOf(to)
	return &server{Deps: d, to: to, address: address}, err
}

type server struct {
	Deps
	to      flow.LogDestination
	address *url.URL
}

// Limits implements [workflow.Destination].
func (*server) Limits() workflow.DestinationLimits {
	return workflow.DestinationLimits{Records: 1, Lanes: 8}
}

// Send implements [workflow.Destination].
func (s *server) Send(ctx context.Context, records []workflow.Outgoing) error {
	r := records[0]
	header := http.Header{"Content-Type": {"application/json"}, "Idempotency-Key": {r.ID}}
	if _, signed := s.to.Secrets[destination.SettingSigning]; signed {
		secret, err := s.secret(ctx, s.to.Secrets, destination.SettingSigning)
		if err != nil {
			return err
		}
		timestamp := strconv.FormatInt(s.Now().Unix(), 10)
		header.Set(events.HeaderTimestamp, timestamp)
		header.Set(events.HeaderSignature, events.Signature(secret, timestamp, r.Body))
	}
	_, err := s.client("the server "+s.address.Host, s.to, s.address).Send(ctx, vendorhttp.Request{
		Method: http.MethodPost, Path: s.address.String(), Header: header, Body: r.Body,
	})
	s.refused(err, s.to.Secrets[destination.SettingSigning])
	return judged(err)
}

// addressOf reads the address that is set.
func addressOf(to flow.LogDestination) (*url.URL, error) {
	u, err := url.Parse(to.Settings[destination.SettingURL])
	if err != nil || u.Host == "" {
		return nil, flow.Errorf(flow.CodeStrategy, "the url of log destination %q is no address: correct it", to.Name)
	}
	return u, nil
}
