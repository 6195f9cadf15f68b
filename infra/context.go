package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/constructs-go/constructs/v10"

	"github.com/symflows/symflows/internal/entity"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/slackapp"
)

// options are what can be set of a deployment: as CDK context, either for once
// (npx cdk deploy -c alarmEmail=ops@example.com) or for good (in cdk.json, under
// "context"). All have defaults that work, and are set back to them by the value
// default. A deploy that would drop one by leaving it out is refused (preflight.go).
//
//	name            sym-flows  names the stack and what is in it: deployments that share an account need names of their own
//	org             sym        first part of SRNs; a deployment keeps the one that it began with
//	region          the CLI's  AWS region, such as eu-central-1
//	flows           flows      folder of the configuration
//	architecture    arm64      of the functions: arm64, or x86_64 for emulators
//	alarmEmail      none       address that gets alarms; AWS asks it to confirm first
//	logRetention    90         days that logs are kept, one of the numbers that CloudWatch takes
//	auditRetention  forever    days that audit records are kept
//	objectLock      governance:365  how long audit records, and the transparency log over them, can't be deleted:
//	                           governance:DAYS (but by those with a right to bypass it), compliance:DAYS (no user can
//	                           delete them or shorten it), or none
//	checkpoints     none       where the transparency log's hourly checkpoint is sent, so that whoever runs the account can't
//	                           rewrite it unseen: s3://bucket/prefix, of another account, or a channel of Slack (#audit-log)
//	rateLimit       50         requests a second that the API takes
//	burstLimit      100        requests that the API takes at once
//	endpointUrl     none       address of an emulator, which all functions use in place of AWS
//	functionPatterns none      ARNs that end in *, with commas between them: functions that match are allowed by them
//	                           and not one by one, if there are more than the policies of a role can list
//	grants          none       what access may ever be granted by where the configuration comes by API: ARNs of roles and of
//	                           functions, secret:<path>, host:<name>, with commas between them
//	configApproval  none       name of the flow by which people approve changes that come by the configuration API
//	reservedConcurrency none   how many executions Lambda keeps for removal, access and slack, and lets them have at most, such as
//	                           removal:100,access:50; fails where the account's limit would leave less than 100 to all others
//	logLevel        info       least level of what is logged: debug, info or warn
//	tracing         workflow   what X-Ray traces: executions (workflow), every function too (all), or nothing (off)
//	subnets         none       subnets of a VPC, with commas between them, from which access and removal reach their targets
//	securityGroups  none       the security groups that they have there
//	domain          none       domain at which the deployment is reached, with
//	certificate     none       its certificate of ACM: of the region, or with webAcl of us-east-1
//	webAcl          none       web ACL of WAF: CloudFront stands before the API with it, and the API's own address is off
//	originDomain    none       domain of the API behind CloudFront, with
//	originCertificate none     its certificate, of the region
//	slackCommand    /sym       what people type in Slack; two deployments in one workspace need two
//	kmsKey          none       key of AWS KMS that encrypts table, buckets, queues, topic, logs and secrets: its ARN, or
//	                           create for one that the stack makes; else they are encrypted by keys of AWS
//	secretKeys      none       ARNs of the keys of KMS that secrets of the configuration are under, with commas between them
//	withoutRequests false      true: handlers can't import requests, and synth needs no index of Python packages
type options struct {
	name, org, region, flows string
	architecture             architecture
	alarmEmail, endpointURL  string
	logRetention             int // days
	auditRetention           int // days; 0: forever
	objectLock               objectLock
	checkpoints              string // "", s3://bucket/prefix or #channel
	rateLimit, burstLimit    int
	withoutRequests          bool
	functionPatterns         string // see patterns
	grants                   string // see bounds
	configApproval           string // "": changes need no approval
	reservedConcurrency      reservation
	kmsKey                   string // "", createKey or an ARN
	secretKeys               string // see keys
	slackCommand             string
	logLevel                 string  // "" for info
	tracing                  string  // traceWorkflow, traceAll or traceNothing
	network                  network // of access and removal
	domain, certificate      string
	webACL                   string // "": CloudFront is not before the API
	originDomain             string // of the API, behind CloudFront
	originCertificate        string
	set                      string // see given
}

// What is traced by X-Ray.
const (
	traceWorkflow = "workflow"
	traceAll      = "all"
	traceNothing  = "off"
)

// network is a VPC's part that functions reach their targets from; zero: they are in
// none.
type network struct{ subnets, securityGroups string } // ids, with commas between them

func (n network) lists() (subnets, securityGroups []string) {
	return strings.Split(n.subnets, ","), strings.Split(n.securityGroups, ",")
}

// reservation is how many executions are kept for a function, and are the most that
// it has. With 0 it has what the account has left.
type reservation struct{ removal, access, slack int }

func (r reservation) of(function string) int {
	return map[string]int{removalFunction: r.removal, accessFunction: r.access, "slack": r.slack}[function]
}

func (r reservation) total() int { return r.removal + r.access + r.slack }

// minReserved is the least that may be reserved: one target that does not answer takes
// flow.SickPlaces for as long as its calls are waited for, and others need as many.
const minReserved = 2 * flow.SickPlaces

// architecture is the name of one for Lambda, and for Go.
type architecture struct{ lambda, goarch string }

// objectLock says how long audit records can't be deleted. With its zero value they
// can be.
type objectLock struct {
	mode string // GOVERNANCE or COMPLIANCE
	days int
}

// Values of the option objectLock, beside those with other days.
const (
	defaultLock = "governance:365"
	noLock      = "none"
)

// architectures are by what Lambda calls them.
var architectures = map[string]architecture{
	"arm64":  {"arm64", "arm64"},
	"x86_64": {"x86_64", "amd64"},
}

// logRetentions are the numbers of days that CloudWatch Logs takes, up to ten years
// (https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html).
var logRetentions = []int{1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653}

var (
	// The longest name that is made of it is that of a function, of at most 64 letters.
	namePattern        = regexp.MustCompile(`^[a-z][a-z0-9-]{0,39}$`)
	regionPattern      = regexp.MustCompile(`^[a-z]{2}(-[a-z]+)+-\d+$`)
	emailPattern       = regexp.MustCompile(`^[^@\s]+@[^@\s]+\.[^@\s]+$`)
	lockPattern        = regexp.MustCompile(`^(governance|compliance):(\d{1,5})$`)
	arnPattern         = regexp.MustCompile(`^arn:aws:lambda:[a-z]{2}(-[a-z]+)+-\d+:\d{12}:function:[a-zA-Z0-9_-]*\*$`)
	subnetsPattern     = regexp.MustCompile(`^subnet-[0-9a-f]+(,subnet-[0-9a-f]+)*$`)
	groupsPattern      = regexp.MustCompile(`^sg-[0-9a-f]+(,sg-[0-9a-f]+)*$`)
	domainPattern      = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)+$`)
	certificatePattern = regexp.MustCompile(`^arn:aws:acm:([a-z0-9-]+):\d{12}:certificate/[a-zA-Z0-9-]+$`)
	aclPattern         = regexp.MustCompile(`^arn:aws:wafv2:us-east-1:\d{12}:global/webacl/[a-zA-Z0-9_-]+/[a-zA-Z0-9-]+$`)
	checkpointsPattern = regexp.MustCompile(`^(s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[a-zA-Z0-9._-]+)*/?|#[a-z0-9_-]{1,80})$`)
	// ourKeys are like the names of our options. CDK keeps settings of its own
	// in the context, which all have other characters too.
	ourKeys = regexp.MustCompile(`^[A-Za-z]+$`)
)

// maxDays is a hundred years, which S3 takes too.
const maxDays = 36500

// readOptions reads the context. The error joins all that is wrong with it.
func readOptions(node constructs.Node) (options, error) {
	given := map[string]any{}
	if all, ok := node.GetAllContext(nil).(map[string]any); ok {
		given = all
	}
	return parseOptions(given)
}

// given are the options that are not left to their defaults, as they are written.
func given(node constructs.Node) map[string]string {
	all, _ := node.GetAllContext(nil).(map[string]any)
	r, out := reader{given: all, known: map[string]bool{}, set: map[string]string{}}, map[string]string{}
	for key := range all {
		if v, set := r.value(key); set && ourKeys.MatchString(key) {
			out[key] = v
		}
	}
	return out
}

// parseOptions reads the context as CDK has it: values from the command line are
// texts, those of cdk.json may be numbers.
func parseOptions(given map[string]any) (options, error) {
	r := reader{given: given, known: map[string]bool{}, set: map[string]string{}}
	o := options{
		name:   r.text("name", "sym-flows", `write up to 40 small letters, digits and "-", beginning with a letter`, namePattern.MatchString),
		org:    r.text("org", "sym", "write a name such as sym", func(s string) bool { return flow.CheckName(s) == nil }),
		region: r.text("region", "", "write a region such as eu-central-1 (none of AWS China or GovCloud)", runsIn),
		flows:  r.text("flows", "flows", "write the path of a folder", func(s string) bool { return s != "" }),
		architecture: architectures[r.text("architecture", "arm64", "write arm64 or x86_64", func(s string) bool {
			return architectures[s] != architecture{}
		})],
		alarmEmail:   r.text("alarmEmail", "", "write an address such as ops@example.com", emailPattern.MatchString),
		endpointURL:  r.text("endpointUrl", "", "write an address such as http://host.docker.internal:4566", isURL),
		logRetention: r.number("logRetention", 90, "write one of "+list(logRetentions), func(n int) bool { return slices.Contains(logRetentions, n) }),
		auditRetention: r.number("auditRetention", 0, fmt.Sprintf("write a number of days from 1 to %d, or leave it out to keep records forever", maxDays), func(n int) bool {
			return 1 <= n && n <= maxDays
		}),
		rateLimit:  r.number("rateLimit", 50, "write how many requests a second the API takes, 1 or more", positive),
		burstLimit: r.number("burstLimit", 100, "write how many requests the API takes at once, 1 or more", positive),
	}
	o.functionPatterns = r.text("functionPatterns", "", "write ARNs such as arn:aws:lambda:us-east-1:123456789012:function:grant-*, with commas between them", arePatterns)
	for _, p := range o.patterns() {
		if own := o.name + "-"; arePatterns(p) && takesIn(p, own) {
			r.fault("functionPatterns", "%s takes in our own functions, %s*: begin it with more of the names of yours", p, own)
		}
	}
	o.grants = r.text(entity.GrantsOption, "", "write ARNs of roles and functions, secret:<path> and host:<name>, with commas between them, and handlers: before functions and secrets of handlers, none of which may be one that grants, such as arn:aws:iam::*:role/sym/*,secret:/sym/*,host:*.okta.com", func(s string) bool {
		_, err := entity.ParseBounds(s)
		return err == nil
	})
	for _, p := range slices.Concat(o.bounds().Functions, o.bounds().HandlerFunctions) {
		if own := o.name + "-"; strings.HasSuffix(p, "*") && takesIn(p, own) || strings.Contains(p, ":function:"+own) {
			r.fault(entity.GrantsOption, "%s takes in our own functions, %s*: begin it with more of the names of yours", p, own)
		}
	}
	o.configApproval = r.text("configApproval", "", "write the name of a flow, such as configure", func(s string) bool { return flow.CheckName(s) == nil })
	o.slackCommand = r.text("slackCommand", slackapp.OwnCommand, "write a command such as /access, with up to 31 small letters, digits, - and _", slackapp.Commands.MatchString)
	o.logLevel = r.text("logLevel", "info", "write debug, info or warn", func(s string) bool { return slices.Contains([]string{"debug", "info", "warn"}, s) })
	o.tracing = r.text("tracing", traceWorkflow, "write workflow, all or off", func(s string) bool {
		return slices.Contains([]string{traceWorkflow, traceAll, traceNothing}, s)
	})
	o.network = network{
		subnets:        r.text("subnets", "", "write ids of subnets, such as subnet-0a1b2c3d,subnet-4e5f6a7b", subnetsPattern.MatchString),
		securityGroups: r.text("securityGroups", "", "write ids of security groups, such as sg-0a1b2c3d", groupsPattern.MatchString),
	}
	if (o.network.subnets == "") != (o.network.securityGroups == "") {
		r.fault("subnets", "access is in a VPC by subnets and securityGroups together: give both, or neither")
	}
	o.domain = r.text("domain", "", "write a domain such as sym.example.com", domainPattern.MatchString)
	o.certificate = r.text("certificate", "", "write the ARN of a certificate of ACM", certificatePattern.MatchString)
	o.webACL = r.text("webAcl", "", "write the ARN of a web ACL of WAF for CloudFront, such as arn:aws:wafv2:us-east-1:123456789012:global/webacl/sym/1234abcd-12ab-34cd-56ef-1234567890ab", aclPattern.MatchString)
	o.originDomain = r.text("originDomain", "", "write a domain such as origin.sym.example.com", domainPattern.MatchString)
	o.originCertificate = r.text("originCertificate", "", "write the ARN of a certificate of ACM", certificatePattern.MatchString)
	o.checkDomains(&r)
	o.kmsKey = r.text("kmsKey", "", "write create, or the ARN of a key, such as arn:aws:kms:eu-central-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab (no alias)", func(s string) bool {
		return s == createKey || keyPattern.MatchString(s)
	})
	if m := keyPattern.FindStringSubmatch(o.kmsKey); m != nil && o.region != "" && m[1] != o.region {
		r.fault("kmsKey", "the key is in %s, and the deployment in %s: name a key of that region", m[1], o.region)
	}
	o.secretKeys = r.text("secretKeys", "", "write ARNs of keys, such as arn:aws:kms:eu-central-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab, with commas between them", areKeys)
	if v, set := r.value("reservedConcurrency"); set {
		var err error
		if o.reservedConcurrency, err = parseReservation(v); err != nil {
			r.fault("reservedConcurrency", "%q is not right: %v", v, err)
		}
	}
	o.withoutRequests = r.text("withoutRequests", "false", "write true or false", func(s string) bool { return s == "true" || s == "false" }) == "true"
	o.objectLock = parseLock(r.text("objectLock", defaultLock, "write governance:DAYS or compliance:DAYS, such as governance:365, or none", func(s string) bool {
		days := parseLock(s).days
		return s == noLock || 1 <= days && days <= maxDays
	}))
	if o.auditRetention > 0 && o.objectLock.days > o.auditRetention {
		r.fault("objectLock", "%d days is longer than auditRetention, %d days: make it shorter, such as governance:%d, or none, or keep records longer", o.objectLock.days, o.auditRetention, o.auditRetention)
	}
	o.checkpoints = r.text("checkpoints", "", "write s3://bucket/prefix, or a channel of Slack such as #audit-log", checkpointsPattern.MatchString)
	if len(r.set) > 0 {
		text, err := json.Marshal(r.set)
		if err != nil {
			panic(err) // they are texts
		}
		o.set = string(text)
	}
	for _, key := range slices.Sorted(maps.Keys(given)) {
		if !r.known[key] && ourKeys.MatchString(key) {
			r.fault(key, "there is no such option: write one of %s", strings.Join(slices.Sorted(maps.Keys(r.known)), ", "))
		}
	}
	return o, errors.Join(r.faults...)
}

// runsIn says whether a region may be one that we can run in: Step Functions'
// resources have names of the partition aws, and no other.
func runsIn(region string) bool {
	return regionPattern.MatchString(region) && !strings.HasPrefix(region, "cn-") && !strings.HasPrefix(region, "us-gov-") && !strings.HasPrefix(region, "us-iso")
}

// patterns lists the patterns of functions' ARNs.
func (o options) patterns() []string {
	return strings.FieldsFunc(o.functionPatterns, func(r rune) bool { return r == ',' })
}

// bounds are what the configuration API may have access granted by.
func (o options) bounds() entity.Bounds {
	b, _ := entity.ParseBounds(o.grants) // parseOptions has read it
	return b
}

// arePatterns says whether a text lists patterns of functions' ARNs: of one region
// and account, and with a star at the end only.
func arePatterns(list string) bool {
	for p := range strings.SplitSeq(list, ",") {
		if !arnPattern.MatchString(p) {
			return false
		}
	}
	return true
}

// given are the options that were set, as they were written.
func (o options) given() map[string]string {
	given := map[string]string{}
	if o.set != "" {
		if err := json.Unmarshal([]byte(o.set), &given); err != nil {
			panic(err) // parseOptions wrote it
		}
	}
	return given
}

// checkDomains finds domains that lack something, and certificates where they can't be
// used: CloudFront takes those of us-east-1, and API Gateway those of its own region.
func (o options) checkDomains(r *reader) {
	regionOf := func(certificate string) string {
		if m := certificatePattern.FindStringSubmatch(certificate); m != nil {
			return m[1]
		}
		return ""
	}
	if (o.domain == "") != (o.certificate == "") {
		r.fault("domain", "a domain needs a certificate, and the other way round: give both domain and certificate")
	}
	if o.webACL == "" {
		if o.originDomain != "" || o.originCertificate != "" {
			r.fault("originDomain", "this is for CloudFront with a firewall: give webAcl as well, or leave it out")
		}
		if is := regionOf(o.certificate); is != "" && o.region != "" && is != o.region {
			r.fault("certificate", "it is in %s, and the deployment in %s: API Gateway takes certificates of its own region", is, o.region)
		}
		return
	}
	if o.domain == "" || o.originDomain == "" || o.originCertificate == "" || o.domain == o.originDomain {
		r.fault("webAcl", "CloudFront, which the firewall is for, stands before the API: give domain with certificate for the one, and another originDomain with originCertificate for the other")
	}
	if is := regionOf(o.certificate); is != "" && is != "us-east-1" {
		r.fault("certificate", "it is in %s: CloudFront takes certificates of us-east-1", is)
	}
	if is := regionOf(o.originCertificate); is != "" && o.region != "" && is != o.region {
		r.fault("originCertificate", "it is in %s, and the deployment in %s: API Gateway takes certificates of its own region", is, o.region)
	}
}

// keys lists the ARNs of the keys of secrets.
func (o options) keys() []string {
	return strings.FieldsFunc(o.secretKeys, func(r rune) bool { return r == ',' })
}

// areKeys says whether a text lists ARNs of keys.
func areKeys(list string) bool {
	for key := range strings.SplitSeq(list, ",") {
		if !keyPattern.MatchString(key) {
			return false
		}
	}
	return true
}

// takesIn says whether functions whose names begin so match the pattern, if they
// are in its account.
func takesIn(pattern, own string) bool {
	begin := pattern[strings.LastIndex(pattern, ":")+1 : len(pattern)-1]
	return strings.HasPrefix(own, begin) || strings.HasPrefix(begin, own)
}

// parseLock reads a text that lockPattern matches. Any other text gives no lock.
func parseLock(s string) objectLock {
	m := lockPattern.FindStringSubmatch(s)
	if m == nil {
		return objectLock{}
	}
	days, _ := strconv.Atoi(m[2])
	return objectLock{mode: strings.ToUpper(m[1]), days: days}
}

// parseReservation reads a text such as removal:100,access:50. What Lambda would
// refuse for the account's limit, which is not known here, is left to it.
func parseReservation(s string) (r reservation, err error) {
	for part := range strings.SplitSeq(s, ",") {
		name, number, _ := strings.Cut(part, ":")
		of := map[string]*int{removalFunction: &r.removal, accessFunction: &r.access, "slack": &r.slack}[name]
		n, err := strconv.Atoi(number)
		switch {
		case of == nil || err != nil:
			return reservation{}, errors.New("write numbers for removal, access and slack, or some of them, such as removal:100,access:50")
		case *of != 0:
			return reservation{}, fmt.Errorf("%s is in it twice", name)
		case n < minReserved && name == "slack":
			return reservation{}, fmt.Errorf("slack needs %d at least, because the number is also the most that it has: each form that handlers are asked about takes one", minReserved)
		case n < minReserved:
			return reservation{}, fmt.Errorf("%s needs %d at least, because the number is also the most that it has: one target that does not answer takes %d of them", name, minReserved, flow.SickPlaces)
		}
		*of = n
	}
	return r, nil
}

func positive(n int) bool { return n >= 1 }

func isURL(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" && u.User == nil
}

func list(numbers []int) string {
	return strings.Trim(strings.ReplaceAll(fmt.Sprint(numbers), " ", ", "), "[]")
}

// reader takes options out of the context, and collects what is wrong.
type reader struct {
	given  map[string]any
	known  map[string]bool
	set    map[string]string
	faults []error
}

func (r *reader) fault(key, format string, args ...any) {
	r.faults = append(r.faults, fmt.Errorf("context %s: %s", key, fmt.Sprintf(format, args...)))
}

// takenBack is the value by which an option that was set is taken back.
const takenBack = "default"

// value gives an option as text. It returns false if the option is not set, or set
// back.
func (r *reader) value(key string) (string, bool) {
	r.known[key] = true
	text := ""
	switch v := r.given[key].(type) {
	case nil:
		return "", false
	case string:
		text = strings.TrimSpace(v)
	case float64:
		text = strconv.FormatFloat(v, 'f', -1, 64)
	default:
		text = fmt.Sprint(v)
	}
	r.set[key] = text
	return text, text != takenBack
}

func (r *reader) text(key, unset, want string, ok func(string) bool) string {
	v, set := r.value(key)
	if !set {
		return unset
	}
	if !ok(v) {
		r.fault(key, "%q is not right: %s", v, want)
	}
	return v
}

func (r *reader) number(key string, unset int, want string, ok func(int) bool) int {
	v, set := r.value(key)
	if !set {
		return unset
	}
	n, err := strconv.Atoi(v)
	if err != nil || !ok(n) {
		r.fault(key, "%q is not right: %s", v, want)
	}
	return n
}
