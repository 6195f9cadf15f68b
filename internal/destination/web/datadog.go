package web

import (
	"cmp"
	"context"
	"net/http"
	"net/url"

	"github.com/symflows/symflows/internal/destination"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/vendorhttp"
	"github.com/symflows/symflows/internal/workflow"
)

// Limits of Datadog's intake, of what is not compressed: https://docs.datadoghq.com/api/latest/logs/#send-logs.
const (
	datadogBytes   = 5 << 20
	datadogRecords = 1000
)

// Datadog opens the intake of logs of a site. A record is a log whose attributes are the
// record's, with source:sym and service:sym, by which the pipeline of Sym's pack knows it:
// it makes usr.email of actor.username, usr.id of actor.user, and the time of
// event.timestamp.
func (d Deps) Datadog(to flow.LogDestination) (workflow.Destination, error) {
	site := cmp.Or(to.Settings[destination.SettingSite], destination.DatadogSites[0])
	return &datadog{Deps: d, to: to, address: &url.URL{Scheme: "https", Host: "http-intake.logs." + site, Path: "/api/v2/logs"}}, nil
}

type datadog struct {
	Deps
	to      flow.LogDestination
	address *url.URL
}

// Limits implements [workflow.Destination].
func (*datadog) Limits() workflow.DestinationLimits {
	return workflow.DestinationLimits{Records: datadogRecords, Bytes: datadogBytes - 1<<10, Overhead: 200, Lanes: 1}
}

// Send implements [workflow.Destination].
func (s *datadog) Send(ctx context.Context, records []workflow.Outgoing) error {
	key, err := s.secret(ctx, s.to.Secrets, destination.SettingAPIKey)
	if err != nil {
		return err
	}
	var logs [][]byte
	for _, r := range records {
		log, err := with(map[string]any{"ddsource": "sym", "service": "sym", "ddtags": "record:" + r.ID}, r.Body)
		if err != nil {
			return err
		}
		logs = append(logs, log)
	}
	_, err = s.client("Datadog", s.to, s.address).Send(ctx, vendorhttp.Request{
		Method: http.MethodPost, Path: s.address.Path, Body: list(logs), Hide: []string{key},
		Header: http.Header{"Content-Type": {"application/json"}, "DD-API-KEY": {key}},
	})
	s.refused(err, s.to.Secrets[destination.SettingAPIKey])
	return judged(err)
}
