package awstest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// Guard stands before fakes of AWS and refuses, as IAM does, what a caller has
// no right to. It shows that roles have the rights that their functions need,
// which nothing else does without an account.
//
// The access key that a request is signed with is the name of the caller's role.
// The signature is not checked.
type Guard struct {
	Next    http.Handler                // required: answers calls that are allowed
	Refused func(call Call, why string) // required: told of calls that are not

	rights []*right

	mu sync.Mutex
}

// Call is a call of AWS, in the words of IAM.
type Call struct {
	Role     string
	Action   string   // "dynamodb:GetItem"
	Resource string   // its ARN; "" where the call does not tell it
	Keys     []string // what must be allowed each: leading keys of items, of DynamoDB; audiences, of identity tokens
	// Besides are the ARNs of other resources that the action is on, too: it must be
	// allowed on each.
	Besides []string
	// Reads is the ARN of a secret that the service reads for the call, by the rights
	// of its caller; "" for none.
	Reads string
}

// right is a line of the list.
type right struct {
	line         string
	role, action string
	resource     *regexp.Regexp
	keys         []*leadingKey // nil: not limited
	asked        bool
}

// leadingKey is a pattern that a right is limited to.
type leadingKey struct {
	text    string
	pattern *regexp.Regexp
	asked   bool
}

// rightLine is how infra's test lists what a role may do.
var rightLine = regexp.MustCompile(`^(\w+): (\S+) on (.+?)(?: if (.+))?$`)

// Conditions on all values of a call: of DynamoDB by leading keys, of identity tokens
// by whom they are for.
const (
	leadingKeys = "dynamodb:LeadingKeys ForAllValues:StringLike "
	audiences   = "sts:IdentityTokenAudience ForAllValues:StringEquals "
)

// ReadRights reads the list of what roles may do (infra/testdata/rights.txt).
// What stands in it as ${Table.Arn} gets its value; one that is missing is an
// error.
func (g *Guard) ReadRights(file string, values map[string]string) error {
	b, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(b)) {
		line = strings.TrimSpace(line)
		m := rightLine.FindStringSubmatch(line)
		if m == nil {
			continue // of another part of the list
		}
		resource, err := fill(m[3], values)
		if err != nil {
			return fmt.Errorf("%s: %w", line, err)
		}
		r := &right{line: line, role: m[1], action: m[2], resource: like(resource)}
		for _, condition := range []string{leadingKeys, audiences} {
			if patterns, ok := strings.CutPrefix(m[4], condition); ok {
				patterns, _, _ = strings.Cut(patterns, " and ")
				for p := range strings.SplitSeq(patterns, " | ") {
					r.keys = append(r.keys, &leadingKey{text: p, pattern: like(p)})
				}
			}
		}
		g.rights = append(g.rights, r)
	}
	if len(g.rights) == 0 {
		return fmt.Errorf("%s lists no rights", file)
	}
	return nil
}

var placeholder = regexp.MustCompile(`\$\{[^}]+\}`)

// fill puts values in the place of what is known at deploy only.
func fill(s string, values map[string]string) (string, error) {
	var missing error
	filled := placeholder.ReplaceAllStringFunc(s, func(p string) string {
		v, ok := values[p[2:len(p)-1]]
		if !ok {
			missing = fmt.Errorf("%s has no value", p)
		}
		return v
	})
	return filled, missing
}

// like is what IAM calls StringLike.
func like(pattern string) *regexp.Regexp {
	quoted := regexp.QuoteMeta(pattern)
	return regexp.MustCompile("^" + strings.NewReplacer(`\*`, ".*", `\?`, ".").Replace(quoted) + "$")
}

// ServeHTTP hands on what the caller may do.
func (g *Guard) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the client went away
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	call, err := callOf(r, body)
	why := "no right allows it"
	if err != nil {
		why = err.Error()
	} else if g.allows(call) {
		g.Next.ServeHTTP(w, r)
		return
	}
	g.Refused(call, why)
	denied := fmt.Sprintf("<Error><Code>AccessDenied</Code><Message>%s</Message></Error>", why)
	switch service, _, _ := strings.Cut(call.Action, ":"); service { // those that speak XML
	case "iam", "sts":
		denied = "<ErrorResponse>" + denied + "</ErrorResponse>"
		fallthrough
	case "s3":
		w.WriteHeader(http.StatusForbidden)
		io.WriteString(w, denied)
		return
	}
	w.Header().Set("X-Amzn-ErrorType", "AccessDeniedException")
	w.WriteHeader(http.StatusBadRequest)
	fmt.Fprintf(w, `{"__type": "AccessDeniedException", "message": %q}`, why)
}

func (g *Guard) allows(c Call) bool {
	for _, other := range c.Besides {
		if !g.allows(Call{Role: c.Role, Action: c.Action, Resource: other}) {
			return false
		}
	}
	if c.Reads != "" && !g.allows(Call{Role: c.Role, Action: "secretsmanager:GetSecretValue", Resource: c.Reads}) {
		return false
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, r := range g.rights {
		if r.role == c.Role && r.action == c.Action && (c.Resource == "" || r.resource.MatchString(c.Resource)) && r.covers(c.Keys) {
			r.asked = true
			return true
		}
	}
	return false
}

// covers: for all values of the call, one pattern has to match.
func (r *right) covers(keys []string) bool {
	var matched []*leadingKey
	for _, key := range keys {
		i := slices.IndexFunc(r.keys, func(k *leadingKey) bool { return k.pattern.MatchString(key) })
		if i >= 0 {
			matched = append(matched, r.keys[i])
		} else if r.keys != nil {
			return false
		}
	}
	for _, k := range matched {
		k.asked = true
	}
	return true
}

// Unused lists the rights of a role that no call asked for, and the leading keys
// that no call had.
func (g *Guard) Unused(role string) []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	var out []string
	for _, r := range g.rights {
		if r.role != role {
			continue
		}
		if !r.asked {
			out = append(out, r.line)
			continue
		}
		for _, k := range r.keys {
			if !k.asked {
				out = append(out, r.line+": "+k.text)
			}
		}
	}
	return out
}

// signed takes the access key, the region and the service from a signature
// (https://docs.aws.amazon.com/IAM/latest/UserGuide/create-signed-request.html).
var signed = regexp.MustCompile(`Credential=([^/]+)/\d+/([^/]+)/([^/]+)/aws4_request`)

// Account is that of everything which calls name without an ARN.
const Account = "123456789012"

// callOf says what a request asks for. An error is a request that it does not
// know.
func callOf(r *http.Request, body []byte) (Call, error) {
	m := signed.FindStringSubmatch(r.Header.Get("Authorization"))
	if m == nil {
		return Call{}, fmt.Errorf("%s %s is not signed", r.Method, r.URL.Path)
	}
	role, region, service := m[1], m[2], m[3]
	arn := func(resource string) string {
		return fmt.Sprintf("arn:aws:%s:%s:%s:%s", service, region, Account, resource)
	}
	c := Call{Role: role}
	_, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	var in input
	if len(body) > 0 && !slices.Contains([]string{"lambda", "s3", "iam", "sts", "eks"}, service) {
		if err := json.Unmarshal(body, &in); err != nil {
			return c, fmt.Errorf("%s %s: %w", service, operation, err)
		}
	}
	switch service {
	case "dynamodb":
		c.Resource, c.Keys = arn("table/"+in.TableName), in.keys()
		if in.IndexName != "" {
			c.Resource += "/index/" + in.IndexName
		}
		for table := range in.RequestItems {
			c.Resource = arn("table/" + table)
		}
	case "states":
		c.Resource = in.StateMachineArn // a token does not tell
	case "firehose":
		c.Resource = arn("deliverystream/" + in.DeliveryStreamName)
	case "secretsmanager":
		c.Resource = in.SecretID
		if !strings.HasPrefix(c.Resource, "arn:") {
			c.Resource = arn("secret:" + in.SecretID + "-a1B2c3") // as AWS would have named it
		}
	case "sqs":
		c.Resource = arn(in.QueueURL[strings.LastIndex(in.QueueURL, "/")+1:])
		operation = strings.TrimSuffix(operation, "Batch") // IAM knows one action for both
	case "lambda":
		operation = "InvokeFunction"
		name, err := url.PathUnescape(strings.TrimSuffix(strings.TrimPrefix(r.URL.EscapedPath(), "/2015-03-31/functions/"), "/invocations"))
		if err != nil {
			return c, err
		}
		c.Resource = name
	case "scheduler":
		operation = map[string]string{http.MethodPost: "CreateSchedule", http.MethodPut: "UpdateSchedule", http.MethodDelete: "DeleteSchedule"}[r.Method]
		group := in.GroupName
		if group == "" {
			group = r.URL.Query().Get("groupName")
		}
		c.Resource = arn("schedule/" + group + "/" + path.Base(r.URL.Path))
	case "iam", "sts": // which have no regions, and take forms
		form, err := url.ParseQuery(string(body))
		if err != nil {
			return c, err
		}
		operation, region = form.Get("Action"), ""
		for name, values := range form {
			if strings.HasPrefix(name, "Audience.member.") {
				c.Keys = append(c.Keys, values...)
			}
		}
		switch {
		case form.Has("RoleArn"):
			c.Resource = form.Get("RoleArn")
		case form.Has("GroupName"): // of a change of both, it is the group that counts
			c.Resource = arn("group/" + form.Get("GroupName"))
		case form.Has("UserName"):
			c.Resource = arn("user/" + form.Get("UserName"))
		default:
			c.Resource = "*"
		}
	case "sso":
		c.Resource = in.InstanceARN
		if in.PermissionSetARN != "" {
			c.Besides = append(c.Besides, in.PermissionSetARN)
		}
		if account := in.TargetID + in.AccountID; account != "" {
			c.Besides = append(c.Besides, "arn:aws:sso:::account/"+account)
		}
	case "identitystore":
		c.Resource = fmt.Sprintf("arn:aws:identitystore::%s:identitystore/%s", Account, in.IdentityStoreID)
		for kind, ids := range map[string][]string{"user": {in.UserID, in.MemberID.UserID}, "group": append(in.GroupIDs, in.GroupID), "membership": {in.MembershipID}} {
			for _, id := range ids {
				if id != "" {
					c.Besides = append(c.Besides, "arn:aws:identitystore:::"+kind+"/"+id)
				}
			}
		}
	case "account-access":
		operation = map[string]string{"POST entitlements": "CreateEntitlement", "DELETE entitlements": "DeleteEntitlement", "POST entitlements-list": "ListEntitlements"}[r.Method+" "+strings.Split(r.URL.Path, "/")[1]]
		c.Resource = in.ApplicationARN + r.URL.Query().Get("applicationArn")
	case "kms":
		c.Resource = in.KeyID
	case "rds-data":
		operation, c.Resource, c.Reads = map[string]string{"/Execute": "ExecuteStatement"}[r.URL.Path], in.ResourceARN, in.SecretARN
	case "eks":
		operation, c.Resource = callOfEKS(r, arn)
	case "s3":
		operation = map[string]string{http.MethodGet: "GetObject", http.MethodPut: "PutObject"}[r.Method]
		c.Resource = "arn:aws:s3:::" + strings.TrimPrefix(r.URL.Path, "/")
	default:
		return c, fmt.Errorf("service %q is not known here", service)
	}
	c.Action = service + ":" + operation
	return c, nil
}

// callOfEKS tells a call of EKS by its path, and what IAM holds it to: the cluster,
// or the access entry.
func callOfEKS(r *http.Request, arn func(string) string) (operation, resource string) {
	if tagged, ok := strings.CutPrefix(r.URL.Path, "/tags/"); ok {
		return "TagResource", tagged
	}
	parts := strings.Split(strings.Trim(r.URL.EscapedPath(), "/"), "/")
	shape := parts[0]
	for i := 2; i < len(parts); i += 2 {
		shape += " " + parts[i]
	}
	if len(parts)%2 == 0 { // it ends in the name of one
		shape += " one"
	}
	operation = map[string]string{
		"GET clusters": "ListClusters", "GET clusters one": "DescribeCluster", "GET access-policies": "ListAccessPolicies",
		"GET clusters access-entries": "ListAccessEntries", "POST clusters access-entries": "CreateAccessEntry",
		"GET clusters access-entries one": "DescribeAccessEntry", "DELETE clusters access-entries one": "DeleteAccessEntry",
		"GET clusters access-entries access-policies": "ListAssociatedAccessPolicies", "POST clusters access-entries access-policies": "AssociateAccessPolicy",
		"DELETE clusters access-entries access-policies one": "DisassociateAccessPolicy",
	}[r.Method+" "+shape]
	switch {
	case len(parts) < 2:
		return operation, "*"
	case len(parts) < 4:
		return operation, arn("cluster/" + parts[1])
	}
	return operation, arn("access-entry/" + parts[1] + "/role/" + Account + "/name/7ac1") // as AWS names it
}

// input is what of a call's input names resources and items.
type input struct {
	TableName, IndexName      string
	Key, Item                 map[string]attribute
	ExpressionAttributeValues map[string]attribute
	RequestItems              map[string]struct{ Keys []map[string]attribute }
	StateMachineArn           string `json:"stateMachineArn"`
	DeliveryStreamName        string
	SecretID                  string `json:"SecretId"`
	QueueURL                  string `json:"QueueUrl"`
	GroupName                 string
	// Of Identity Center, its identity store and the account access manager.
	InstanceARN      string   `json:"InstanceArn"`
	PermissionSetARN string   `json:"PermissionSetArn"`
	TargetID         string   `json:"TargetId"`
	AccountID        string   `json:"AccountId"`
	IdentityStoreID  string   `json:"IdentityStoreId"`
	UserID           string   `json:"UserId"`
	GroupID          string   `json:"GroupId"`
	GroupIDs         []string `json:"GroupIds"`
	MembershipID     string   `json:"MembershipId"`
	MemberID         struct {
		UserID string `json:"UserId"`
	} `json:"MemberId"`
	ApplicationARN string `json:"applicationArn"`
	KeyID          string `json:"KeyId"` // of KMS
	// Of the RDS Data API.
	ResourceARN string `json:"resourceArn"`
	SecretARN   string `json:"secretArn"`
}

type attribute struct{ S string }

// The names of the table's key, and of the partition that a query of an index
// asks for, as store/dynamo writes them.
const (
	keyAttribute   = "key"
	partitionValue = ":partition"
)

// keys lists the leading keys of a call of DynamoDB.
func (in input) keys() []string {
	var out []string
	for _, one := range []map[string]attribute{in.Key, in.Item} {
		if k, ok := one[keyAttribute]; ok {
			out = append(out, k.S)
		}
	}
	if in.IndexName != "" {
		out = append(out, in.ExpressionAttributeValues[partitionValue].S)
	}
	for _, asked := range in.RequestItems {
		for _, k := range asked.Keys {
			out = append(out, k[keyAttribute].S)
		}
	}
	return out
}
