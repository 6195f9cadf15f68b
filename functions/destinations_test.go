package functions_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/google/uuid"

	"github.com/symflows/symflows/events"
	"github.com/symflows/symflows/internal/aws/awstest"
	"github.com/symflows/symflows/internal/aws/logbucket"
	"github.com/symflows/symflows/internal/config"
	"github.com/symflows/symflows/internal/deadline"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/store/dynamo"
	"github.com/symflows/symflows/internal/store/dynamo/dynamotest"
	"github.com/symflows/symflows/internal/transparency"
)

// internet is what functions reach by names of servers: all of it by TLS, through a proxy,
// as they are told by their environment.
type internet struct {
	hosts  map[string]http.HandlerFunc
	signed tls.Certificate
}

// connect has a function reach servers by their names, once its processes are replaced.
func (a *account) connect(function string, hosts map[string]http.HandlerFunc) {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	a.must(err)
	names := slices.Collect(maps.Keys(hosts))
	ca := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, DNSNames: names,
	}
	made, err := x509.CreateCertificate(rand.Reader, ca, ca, &key.PublicKey, key)
	a.must(err)
	file := filepath.Join(a.t.TempDir(), "ca.pem")
	a.must(os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: made}), 0o600))
	proxy := httptest.NewServer(&internet{hosts, tls.Certificate{Certificate: [][]byte{made}, PrivateKey: key}})
	a.t.Cleanup(proxy.Close)
	env := a.functions[functionARN(function)].Environment
	env["HTTPS_PROXY"], env["SSL_CERT_FILE"] = proxy.URL, file
}

// ServeHTTP takes a connection to a host, and serves it as that host.
func (i *internet) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	host, _, err := net.SplitHostPort(r.Host)
	serve := i.hosts[host]
	if r.Method != http.MethodConnect || err != nil || serve == nil {
		http.Error(w, "no such host", http.StatusBadGateway)
		return
	}
	w.WriteHeader(http.StatusOK)
	conn, _, err := w.(http.Hijacker).Hijack()
	if err != nil {
		return
	}
	served := &once{conn: tls.Server(conn, &tls.Config{Certificates: []tls.Certificate{i.signed}}), closed: make(chan struct{})}
	_ = http.Serve(served, serve) // until the connection is closed
}

// once is a listener to one connection.
type once struct {
	conn   net.Conn
	taken  sync.Once
	closed chan struct{}
}

func (o *once) Accept() (c net.Conn, err error) {
	o.taken.Do(func() { c = closing{o.conn, sync.OnceFunc(func() { close(o.closed) })} })
	if c == nil {
		<-o.closed
		err = net.ErrClosed
	}
	return c, err
}

func (o *once) Close() error   { return nil }
func (o *once) Addr() net.Addr { return o.conn.LocalAddr() }

type closing struct {
	net.Conn
	done func()
}

func (c closing) Close() error {
	defer c.done()
	return c.Conn.Close()
}

// takers are log destinations, one of each type, which take records or are down.
type takers struct {
	*account

	mu   sync.Mutex
	down bool
	got  map[string][]events.AuditRecord // by the destination's name; of runs alone
}

// take notes the records that a destination is sent, if it is not down.
func (k *takers) take(name string, texts ...[]byte) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.down {
		return false
	}
	for _, text := range texts {
		var r events.AuditRecord
		if err := json.Unmarshal(text, &r); err != nil {
			k.t.Errorf("%s was sent %.200q: %v", name, text, err)
		}
		if r.Type == "event" {
			k.got[name] = append(k.got[name], r)
		}
	}
	return true
}

// of lists the events of a run that a destination has, each once: when the answer to it is
// lost, a record is sent again, and has to be the same one.
func (k *takers) of(name, run string) (of []string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	states := map[string]events.AuditRecord{}
	for _, r := range k.got[name] {
		state := fmt.Sprint(r.ID, ".", r.Meta.Revision)
		if strings.HasSuffix(r.Run.SRN, ":"+run) {
			if before, ok := states[state]; ok {
				if !reflect.DeepEqual(before, r) {
					k.t.Errorf("%s has two records of %s, which differ", name, state)
				}
				continue
			}
			states[state] = r
			of = append(of, r.Event.Type)
		}
	}
	return slices.Compact(of)
}

// overHTTP is a server of a vendor's: read takes the records out of what it is sent.
func (k *takers) overHTTP(name, path, header, secret string, read func(body []byte) ([][]byte, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err == nil && r.Header.Get("Content-Encoding") == "gzip" {
			var z *gzip.Reader
			if z, err = gzip.NewReader(bytes.NewReader(body)); err == nil {
				body, err = io.ReadAll(z)
			}
		}
		var texts [][]byte
		if err == nil {
			texts, err = read(body)
		}
		if err != nil || r.URL.Path != path || !strings.Contains(r.Header.Get(header), secret) {
			k.t.Errorf("%s: %s %s with %s %q: %v", name, r.Method, r.URL, header, r.Header.Get(header), err)
		}
		if !k.take(name, texts...) {
			http.Error(w, "down", http.StatusServiceUnavailable)
			return
		}
		_, _ = w.Write([]byte(`{"success": true, "text": "Success", "code": 0}`))
	}
}

// byRecord is a service of AWS that answers for each record of a call.
func (k *takers) byRecord(name, action, resource, list, data, failed, taken string) service {
	return func(function, operation string, input []byte) (any, error) {
		if err := k.faultOf(call{function: function, action: action + operation, resource: resource, input: input}); err != nil {
			return nil, err
		}
		var in map[string]json.RawMessage
		var entries []map[string]json.RawMessage
		err := json.Unmarshal(input, &in)
		if err == nil {
			err = json.Unmarshal(in[list], &entries)
		}
		var texts [][]byte
		for _, e := range entries {
			var text []byte
			if data == "Detail" {
				var detail string
				err = errors.Join(err, json.Unmarshal(e[data], &detail))
				text = []byte(detail)
			} else {
				err = errors.Join(err, json.Unmarshal(e[data], &text))
			}
			texts = append(texts, text)
		}
		if err != nil {
			return nil, err
		}
		if !k.take(name, texts...) {
			return nil, &awstest.Fault{Status: http.StatusServiceUnavailable, Code: "ServiceUnavailableException", Message: "down"}
		}
		var answers []map[string]string
		for range texts {
			answers = append(answers, map[string]string{taken: uuid.NewString(), "ShardId": "shardId-000000000000"})
		}
		return map[string]any{list: answers, failed: 0}, nil
	}
}

// collect takes what Firehose and S3 have.
func (k *takers) collect() {
	k.account.mu.Lock()
	delivered := k.delivered
	k.delivered = nil
	var files [][]byte
	for _, key := range slices.Sorted(maps.Keys(k.objects)) {
		if strings.HasPrefix(key, "/"+customersBucket+"/sym/year=") {
			files = append(files, k.objects[key])
			delete(k.objects, key)
		}
	}
	k.account.mu.Unlock()
	for _, line := range delivered {
		k.take("firehose", []byte(line))
	}
	for _, file := range files {
		z, err := gzip.NewReader(bytes.NewReader(file))
		k.must(err)
		text, err := io.ReadAll(z)
		k.must(err)
		for line := range bytes.Lines(text) {
			k.take("archive", line)
		}
	}
}

// everyDestination are the eight types, for all records.
const everyDestination = `{kind: secrets, name: keys, type: aws_secrets_manager}
---
{kind: secret, name: key, source_id: keys, path: destinations-key}
---
{kind: integration, name: segment, type: segment, external_id: acme, settings: {write_key_secret: key}}
---
{kind: log_destination, name: server, type: http, settings: {url: "https://logs.example.com/sym", signing_secret_id: key}}
---
{kind: log_destination, name: segment, type: segment, integration_id: segment}
---
{kind: log_destination, name: datadog, type: datadog, settings: {site: datadoghq.eu, api_key_secret: key}}
---
{kind: log_destination, name: splunk, type: splunk_hec, settings: {url: "https://http-inputs-acme.splunkcloud.com", token_secret: key}}
---
{kind: log_destination, name: firehose, type: kinesis_firehose, settings: {stream_name: ` + customersStream + `}}
---
{kind: log_destination, name: stream, type: kinesis_data_stream, settings: {stream_name: ` + customersStream + `}}
---
{kind: log_destination, name: archive, type: s3, settings: {bucket: ` + customersBucket + `, prefix: sym/}}
---
{kind: log_destination, name: bus, type: eventbridge, settings: {event_bus: security}}
---
kind: environment
name: main
log_destination_ids: [server, segment, datadog, splunk, firehose, stream, archive, bus]
`

// destinationNames are those of everyDestination.
var destinationNames = []string{"server", "segment", "datadog", "splunk", "firehose", "stream", "archive", "bus"}

// toEvery makes a product with a log destination of each type.
func toEvery(t *testing.T) *takers {
	with := maps.Clone(flows)
	for name, text := range with {
		with[name] = strings.Replace(text, "kind: environment\nname: main\n", everyDestination, 1)
	}
	a, _ := productOf(t, with)
	k := &takers{account: a, got: map[string][]events.AuditRecord{}}
	member := func(name string) func([]byte) ([][]byte, error) {
		return func(body []byte) (texts [][]byte, err error) {
			d := json.NewDecoder(bytes.NewReader(body))
			for d.More() {
				var one map[string]json.RawMessage
				if err := d.Decode(&one); err != nil {
					return nil, err
				}
				texts = append(texts, one[name])
			}
			return texts, nil
		}
	}
	a.connect("deliver", map[string]http.HandlerFunc{
		"logs.example.com": k.overHTTP("server", "/sym", events.HeaderSignature, "", func(body []byte) ([][]byte, error) { return [][]byte{body}, nil }),
		"api.segment.io": k.overHTTP("segment", "/v1/batch", "Authorization", "Basic ", func(body []byte) (texts [][]byte, err error) {
			var in struct {
				Batch []struct{ Properties json.RawMessage }
			}
			err = json.Unmarshal(body, &in)
			for _, call := range in.Batch {
				texts = append(texts, call.Properties)
			}
			return texts, err
		}),
		"http-intake.logs.datadoghq.eu": k.overHTTP("datadog", "/api/v2/logs", "DD-API-KEY", "the-key-of-all", func(body []byte) (texts [][]byte, err error) {
			var logs []json.RawMessage
			err = json.Unmarshal(body, &logs)
			for _, log := range logs {
				texts = append(texts, log)
			}
			return texts, err
		}),
		"http-inputs-acme.splunkcloud.com": k.overHTTP("splunk", "/services/collector/event", "Authorization", "Splunk the-key-of-all", member("event")),
	})
	stream, bus := arn("kinesis", "stream/"+customersStream), arn("events", "event-bus/security")
	a.mu.Lock()
	a.secrets["destinations-key"] = "the-key-of-all"
	a.beyond = map[string]service{
		"kinesis": k.byRecord("stream", "kinesis:", stream, "Records", "Data", "FailedRecordCount", "SequenceNumber"),
		"events":  k.byRecord("bus", "events:", bus, "Entries", "Detail", "FailedEntryCount", "EventId"),
	}
	a.configured = map[string]bool{
		"deliver secretsmanager:GetSecretValue " + secretARN("destinations-key"): true,
		"deliver kinesis:PutRecords " + stream:                                   true, "deliver events:PutEvents " + bus: true,
		"deliver s3:PutObject arn:aws:s3:::" + customersBucket + "/sym/*": true,
	}
	a.mu.Unlock()
	a.replaceFunctions()
	return k
}

// cursors changes how far the destinations are.
func (a *account) cursors(names []string, change func(c *store.Cursor)) {
	a.t.Helper()
	list := store.Destinations{Store: dynamo.New(a.table.Config(), dynamotest.TableName, time.Now)}
	for _, name := range names {
		to, err := list.Named(a.t.Context(), name)
		a.must(err)
		c, err := list.Cursor(a.t.Context(), to)
		a.must(err)
		change(&c)
		_, err = list.SetCursor(a.t.Context(), to, c)
		a.must(err)
	}
}

// counts waits until deliver has logged, after so many lines of the log, how many
// destinations have a failure; where any has, the line is one that the alarm goes by.
func (a *account) counts(failure string, destinations, since int) {
	a.t.Helper()
	a.await(fmt.Sprintf("the report of %d times %s", destinations, failure), func() bool {
		return slices.ContainsFunc(a.log[since:], func(l logged) bool {
			return l.function == "deliver" && strings.Contains(l.line, fmt.Sprintf(`"%s":%d,`, failure, destinations)) &&
				(destinations > 0) == strings.Contains(l.line, `"`+config.FailureKey+`":"`+failure+`: `)
		})
	})
}

func (a *account) logLines() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.log)
}

// TestDeliver_EveryType: deliver sends to a destination of each type what is logged, in
// order and once; and one that was down for a day, of which somebody is told, catches up.
func TestDeliver_EveryType(t *testing.T) {
	t.Parallel()
	k := toEvery(t)
	minute, err := os.ReadFile("deliver/testdata/minute.json")
	k.must(err)
	whole := func(run string) {
		t.Helper()
		k.collect()
		for _, name := range destinationNames {
			if got := strings.Join(k.of(name, run), " "); got != "prompt request approve" {
				t.Errorf("%s was sent %q of run %s", name, got, run)
			}
		}
	}
	decided := func() string {
		run := k.request("alice", "run-report", "#general", map[string]string{"Table": "orders"})
		k.must(k.slack.As("bob").Click("", "Approve"))
		k.shippedFor(run, "prompt", "request", "approve")
		k.logSettled()
		return run
	}
	first := decided()
	k.sendOut(string(minute))
	whole(first)

	k.mu.Lock()
	k.down = true
	k.mu.Unlock()
	for _, action := range []string{"firehose:PutRecordBatch", "s3:PutObject"} {
		k.fail("deliver", action, 1000, http.StatusServiceUnavailable, "ServiceUnavailableException")
	}
	second := decided()
	k.sendOut(string(minute))
	k.cursors(destinationNames, func(c *store.Cursor) { // it went on so for a day
		if c.Failing.IsZero() || c.Error == "" {
			t.Errorf("a destination that is down stands as %+v", *c)
		}
		c.Failing, c.Tries, c.Due = c.Failing.Add(-24*time.Hour), 100, time.Time{}
	})
	since := k.logLines()
	k.sendOut(string(minute))
	k.counts(config.FailureDestinationDown, len(destinationNames), since)
	for _, name := range destinationNames {
		k.must(k.slack.Wait(deadline.Context(t), func() bool { return strings.Contains(k.slack.As("lead").Channel("#sym-errors"), name) }))
	}
	third := decided()
	k.heal()
	k.mu.Lock()
	k.down = false
	k.mu.Unlock()
	k.cursors(destinationNames, func(c *store.Cursor) { c.Due = time.Time{} })
	since = k.logLines()
	k.sendOut(string(minute))
	k.counts(config.FailureDestinationDown, 0, since)
	for _, run := range []string{first, second, third} {
		whole(run)
	}
	k.cursors(destinationNames, func(c *store.Cursor) {
		if !c.Failing.IsZero() || c.Refused != 0 {
			t.Errorf("a destination that is well stands as %+v", *c)
		}
	})
}

// nowhere takes lines, and keeps none.
type nowhere struct{}

func (nowhere) WriteLines(context.Context, [][]byte) error { return nil }

// TestDeliver_Behind: of a destination that lacks more than 10,000 records somebody is told,
// and it is sent all of them, in order.
func TestDeliver_Behind(t *testing.T) {
	t.Parallel()
	with := maps.Clone(flows)
	for name, text := range with {
		with[name] = strings.Replace(text, "kind: environment\nname: main\n", "kind: log_destination\nname: lake\ntype: kinesis_firehose\nsettings: {stream_name: "+customersStream+"}\n---\nkind: environment\nname: main\nlog_destination_ids: [lake]\n", 1)
	}
	a, _ := productOf(t, with)
	run := a.request("alice", "run-report", "#general", map[string]string{"Table": "orders"})
	a.must(a.slack.As("bob").Click("", "Approve"))
	sample := a.shippedFor(run, "prompt", "request", "approve")[1]
	a.logSettled()
	minute, err := os.ReadFile("deliver/testdata/minute.json")
	a.must(err)
	a.sendOut(string(minute))

	// As many as of some busy hours.
	keys, err := transparency.KeysFrom(a.secrets[logKey], logOrigin)
	a.must(err)
	writer := transparency.Writer{
		Log: store.Log{Store: dynamo.New(a.table.Config(), dynamotest.TableName, time.Now)}, Keys: keys, Now: time.Now, Next: nowhere{}, NextAdmin: nowhere{},
		Files: logbucket.Bucket{
			API: s3.New(s3.Options{
				BaseEndpoint: aws.String(a.url), UsePathStyle: true, Region: region, Credentials: credentials.NewStaticCredentialsProvider(keyOf("transparency"), "secret", ""),
			}),
			Name: logBucket, Locked: true, Now: time.Now,
		},
	}
	const many = 10_050
	var ids []string
	for range many / 50 {
		var batch []events.AuditRecord
		for range 50 {
			r := sample
			r.ID, r.Log = uuid.NewString(), nil
			batch, ids = append(batch, r), append(ids, r.ID)
		}
		a.must(writer.Write(t.Context(), batch))
	}
	a.mu.Lock()
	a.delivered = nil
	a.mu.Unlock()
	a.fail("deliver", "firehose:PutRecordBatch", 1000, http.StatusServiceUnavailable, "ServiceUnavailableException")
	since := a.logLines()
	a.sendOut(string(minute))
	a.counts(config.FailureDestinationBehind, 1, since)
	a.heal()
	a.cursors([]string{"lake"}, func(c *store.Cursor) { c.Due = time.Time{} })
	since = a.logLines()
	a.sendOut(string(minute))
	a.counts(config.FailureDestinationBehind, 0, since)
	if stand := a.standing(); stand.BehindBy != 0 || stand.FailingSince != nil {
		t.Errorf("it stands so: %+v", stand)
	}
	var got []string
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, line := range a.delivered {
		var r events.AuditRecord
		a.must(json.Unmarshal([]byte(line), &r))
		if slices.Contains(ids, r.ID) { // the run itself goes on meanwhile
			got = append(got, r.ID)
		}
	}
	if !slices.Equal(got, ids) {
		t.Errorf("%d records came, of %d", len(got), len(ids))
	}
}
