// Package destination declares the places that audit records may be sent to, beside our
// own: what a configuration says of each type, and the rights in AWS that follow. What
// sends them is below: web (vendors over HTTP) and aws; [workflow.Deliver] says when,
// and the package clients opens them.
package destination

import (
	"slices"
	"strings"
	"sync"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/pattern"
	"github.com/symflows/symflows/internal/strategy"
)

// The types. Those but the last three are Sym's.
const (
	HTTP          = "http"
	Segment       = "segment"
	Datadog       = "datadog"
	Firehose      = "kinesis_firehose"
	KinesisStream = "kinesis_data_stream"
	S3            = "s3"
	EventBridge   = "eventbridge"
	Splunk        = "splunk_hec"
)

// Settings of the types; secrets are named by those that end in _secret or _secret_id.
const (
	SettingURL        = "url"               // of HTTP and Splunk
	SettingSigning    = "signing_secret_id" // of HTTP
	SettingSite       = "site"              // of Datadog
	SettingAPIKey     = "api_key_secret"    // of Datadog
	SettingWriteKey   = "write_key_secret"  // of Segment's integration
	SettingRegion     = "region"            // of Segment
	SettingStreamName = "stream_name"       // of both of Kinesis; at Segment a name for people
	SettingBucket     = "bucket"            // of S3
	SettingPrefix     = "prefix"            // of S3
	SettingEventBus   = "event_bus"         // of EventBridge
	SettingToken      = "token_secret"      // of Splunk
	SettingIndex      = "index"             // of Splunk
)

// DatadogSites are those that take logs (docs.datadoghq.com/getting_started/site).
var DatadogSites = []string{"datadoghq.com", "us3.datadoghq.com", "us5.datadoghq.com", "datadoghq.eu", "ap1.datadoghq.com", "ap2.datadoghq.com", "ddog-gov.com"}

var (
	streamName = pattern.Of(`^[a-zA-Z0-9_.-]{1,128}$`)
	bucketName = pattern.Of(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)
	prefixForm = pattern.Of(`^[A-Za-z0-9!_.*'()=/-]{1,200}$`)
	busName    = pattern.Of(`^(arn:aws[a-z-]*:events:[a-z0-9-]+:[0-9]{12}:event-bus/)?[/.A-Za-z0-9_-]{1,256}$`)
	indexName  = pattern.Of(`^[a-z0-9_-]{1,80}$`)
)

// Types gives the types by their names: strategies without targets. Callers must not
// change the map.
var Types = sync.OnceValue(func() map[string]strategy.Type {
	stream := strategy.Setting{Name: SettingStreamName, About: "the stream's name", Required: true, Check: strategy.Form(streamName, "the name of a stream: letters, digits and _.-")}
	label := stream
	label.About, label.Required = "a name for people, which has no effect", false
	oneOf := func(list ...string) func(string) error {
		return func(v string) error {
			if slices.Contains(list, v) {
				return nil
			}
			return flow.Errorf(flow.CodeInvalid, "must be one of %s", strings.Join(list, ", "))
		}
	}
	aws := strategy.AWSIntegration()
	types := map[string]strategy.Type{}
	for _, t := range []strategy.Type{
		{
			Name: HTTP, About: "a server of yours, which is POSTed each record",
			Settings: strategy.Settings{Known: []strategy.Setting{
				{Name: SettingURL, About: "the address of the server, like https://logs.example.com/sym", Required: true, Check: strategy.CheckURL},
				{Name: SettingSigning, About: "the name of the secret that requests are signed with"},
			}},
		},
		{
			Name: Segment, About: "a source of Segment, as track calls",
			Integration: strategy.Integration{Need: strategy.Required, Types: []string{Segment}, Settings: []strategy.Setting{
				{Name: SettingWriteKey, About: "the name of the secret with the source's write key", Required: true},
			}},
			Settings: strategy.Settings{Known: []strategy.Setting{
				label, {Name: SettingRegion, About: `"us", or "eu" for a workspace of the EU; "us" unless set`, Check: oneOf("us", "eu")},
			}},
		},
		{
			Name: Datadog, About: "Datadog's intake of logs, with service:sym and source:sym",
			Settings: strategy.Settings{Known: []strategy.Setting{
				{Name: SettingAPIKey, About: "the name of the secret with an API key", Required: true},
				{Name: SettingSite, About: "your site of Datadog; datadoghq.com unless set", Check: oneOf(DatadogSites...)},
			}},
		},
		{
			Name: Firehose, About: "a stream of Amazon Data Firehose", Integration: aws, Rules: strategy.CheckAWSAccount,
			Settings: strategy.Settings{Known: []strategy.Setting{stream}},
			Rights: func(s flow.Strategy) strategy.Rights {
				a := strategy.AccountOf(s)
				return a.Rights(strategy.Allow{Actions: []string{"firehose:PutRecordBatch"}, Resources: []string{a.ARN("firehose", "deliverystream/"+s.Settings[SettingStreamName])}})
			},
		},
		{
			Name: KinesisStream, About: "a stream of Amazon Kinesis Data Streams, by run", Integration: aws, Rules: strategy.CheckAWSAccount,
			Settings: strategy.Settings{Known: []strategy.Setting{stream}},
			Rights: func(s flow.Strategy) strategy.Rights {
				a := strategy.AccountOf(s)
				return a.Rights(strategy.Allow{Actions: []string{"kinesis:PutRecords"}, Resources: []string{a.ARN("kinesis", "stream/"+s.Settings[SettingStreamName])}})
			},
		},
		{
			Name: S3, About: "a bucket, as files of lines of JSON", Integration: aws, Rules: strategy.CheckAWSAccount,
			Settings: strategy.Settings{Known: []strategy.Setting{
				{Name: SettingBucket, About: "the bucket's name", Required: true, Check: strategy.Form(bucketName, "the name of a bucket")},
				{Name: SettingPrefix, About: "what the keys of files begin with, like sym/", Check: strategy.Form(prefixForm, "the beginning of a key, like sym/")},
			}},
			Rights: func(s flow.Strategy) strategy.Rights {
				a := strategy.AccountOf(s)
				return a.Rights(strategy.Allow{Actions: []string{"s3:PutObject"}, Resources: []string{"arn:" + a.Partition + ":s3:::" + s.Settings[SettingBucket] + "/" + s.Settings[SettingPrefix] + "*"}})
			},
		},
		{
			Name: EventBridge, About: "a bus of Amazon EventBridge", Integration: aws, Rules: strategy.CheckAWSAccount,
			Settings: strategy.Settings{Known: []strategy.Setting{
				{Name: SettingEventBus, About: "the bus's name, or its ARN in another account", Required: true, Check: strategy.Form(busName, "the name of an event bus, or its ARN")},
			}},
			Rights: func(s flow.Strategy) strategy.Rights {
				a, bus := strategy.AccountOf(s), s.Settings[SettingEventBus]
				if !strings.HasPrefix(bus, "arn:") {
					bus = a.ARN("events", "event-bus/"+bus)
				}
				return a.Rights(strategy.Allow{Actions: []string{"events:PutEvents"}, Resources: []string{bus}})
			},
		},
		{
			Name: Splunk, About: "an HTTP Event Collector of Splunk",
			Settings: strategy.Settings{Known: []strategy.Setting{
				{Name: SettingURL, About: "the collector's address, like https://http-inputs-acme.splunkcloud.com", Required: true, Check: strategy.CheckURL},
				{Name: SettingToken, About: "the name of the secret with the collector's token", Required: true},
				{Name: SettingIndex, About: "the index; the token's own unless set", Check: strategy.Form(indexName, "the name of an index")},
			}},
		},
	} {
		t.Noun = "log destination"
		types[t.Name] = t
	}
	return types
})

// asStrategy shows what a destination has in common with strategies.
func asStrategy(d flow.LogDestination) flow.Strategy {
	return flow.Strategy{Name: d.Name, Type: d.Type, Settings: d.Settings, Secrets: d.Secrets, Integration: d.Integration}
}

// Check finds what is wrong with a destination. Paths are those of
// [strategy.Type.Check].
func Check(d flow.LogDestination) []flow.Fault { return Types()[d.Type].Check(asStrategy(d)) }

// Rights says what it takes in AWS to send to a destination.
func Rights(d flow.LogDestination) strategy.Rights { return Types()[d.Type].RightsOf(asStrategy(d)) }

// Account says in which account of AWS a destination is, and as whom it is sent to.
func Account(d flow.LogDestination) strategy.AWSAccount { return strategy.AccountOf(asStrategy(d)) }
