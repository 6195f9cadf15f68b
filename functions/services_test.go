package functions_test

import (
	"archive/zip"
	"bytes"
	"crypto/md5"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"hash/crc32"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"github.com/symflows/symflows/events"
	"github.com/symflows/symflows/internal/aws/awstest"
)

func itoa(n int) string { return strconv.Itoa(n) }

// missing is the fault of what is not there, in services that speak REST.
func missing(message string) error {
	return &awstest.Fault{Status: http.StatusNotFound, Code: "ResourceNotFoundException", Message: message}
}

// writeFault answers as services that speak REST do.
func writeFault(w http.ResponseWriter, err error) {
	fault, ok := errors.AsType[*awstest.Fault](err)
	if !ok {
		fault = &awstest.Fault{Status: http.StatusInternalServerError, Code: "ServiceException", Message: err.Error()}
	}
	w.Header().Set("X-Amzn-ErrorType", fault.Code)
	w.WriteHeader(fault.Status)
	_ = json.NewEncoder(w).Encode(map[string]string{"message": fault.Message}) // who has gone needs no answer
}

// serveDynamoDB notes what is asked and hands it to the table.
func (a *account) serveDynamoDB(w http.ResponseWriter, r *http.Request, function string, body []byte) {
	_, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	var in struct {
		Key, Item                 map[string]map[string]any
		IndexName                 string
		ExpressionAttributeValues map[string]map[string]string
		RequestItems              map[string]struct {
			Keys []map[string]map[string]string
		}
	}
	if err := json.Unmarshal(body, &in); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	c := call{function: function, action: "dynamodb:" + operation, resource: tableARN, input: body}
	for _, key := range []map[string]map[string]any{in.Key, in.Item} {
		if key != nil {
			c.keys = append(c.keys, fmt.Sprint(key["key"]["S"]))
		}
	}
	for _, table := range in.RequestItems {
		for _, key := range table.Keys {
			c.keys = append(c.keys, key["key"]["S"])
		}
	}
	if in.IndexName != "" {
		c.resource += "/index/" + in.IndexName
		c.keys = []string{in.ExpressionAttributeValues[":partition"]["S"]}
	}
	if err := a.faultOf(c); err != nil {
		awstest.Service(func(string, []byte) (any, error) { return nil, err }).ServeHTTP(w, r)
		return
	}
	a.table.ServeHTTP(w, r)
}

// scheduled is a schedule of EventBridge Scheduler.
type scheduled struct {
	ScheduleExpression    string
	ActionAfterCompletion string
	Target                struct{ Arn, RoleArn, Input string }
}

// serveScheduler is EventBridge Scheduler, with one group
// (https://docs.aws.amazon.com/scheduler/latest/APIReference/API_CreateSchedule.html).
// Nothing fires by itself; see fire.
func (a *account) serveScheduler(function, operation string, input []byte) (any, error) {
	method, address, _ := strings.Cut(operation, " ")
	at, err := url.Parse(address)
	if err != nil {
		return nil, err
	}
	action, known := map[string]string{"POST": "CreateSchedule", "PUT": "UpdateSchedule", "DELETE": "DeleteSchedule"}[method]
	name, found := strings.CutPrefix(at.Path, "/schedules/")
	if !known || !found {
		return nil, unknown(operation)
	}
	var in struct {
		GroupName string
		scheduled
	}
	if method == "DELETE" {
		in.GroupName = at.Query().Get("groupName")
	} else if err := json.Unmarshal(input, &in); err != nil {
		return nil, err
	}
	schedule := arn("scheduler", "schedule/"+in.GroupName+"/"+name)
	if err := a.faultOf(call{function: function, action: "scheduler:" + action, resource: schedule, input: input}); err != nil {
		return nil, err
	}
	if method != "DELETE" { // the schedule will have this role
		if err := a.faultOf(call{function: function, action: "iam:PassRole", resource: in.Target.RoleArn}); err != nil {
			return nil, err
		}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	_, there := a.schedules[name]
	switch {
	case in.GroupName != scheduleGroup:
		return nil, missing("Schedule group " + in.GroupName + " does not exist.")
	case method == "POST" && there:
		return nil, &awstest.Fault{Status: http.StatusConflict, Code: "ConflictException", Message: "Schedule " + name + " already exists."}
	case method != "POST" && !there:
		return nil, missing("Schedule " + name + " does not exist.")
	case method == "DELETE":
		delete(a.schedules, name)
		a.change()
		return struct{}{}, nil
	}
	a.schedules[name] = in.scheduled
	a.change()
	return map[string]string{"ScheduleArn": schedule}, nil
}

// fire has a schedule's time come: Scheduler invokes the target, asynchronously,
// and deletes the schedule.
func (a *account) fire(name string) {
	a.t.Helper()
	a.mu.Lock()
	s, there := a.schedules[name]
	delete(a.schedules, name)
	a.mu.Unlock()
	if !there || s.ActionAfterCompletion != "DELETE" {
		a.t.Fatalf("no schedule %s that is deleted when it has fired: %+v", name, s)
	}
	a.inItsName("schedule", "lambda:InvokeFunction", s.Target.Arn)
	a.work.Go(func() { a.asynchronous(s.Target.Arn, []byte(s.Target.Input)) })
}

// serveFirehose is Firehose's PutRecordBatch
// (https://docs.aws.amazon.com/firehose/latest/APIReference/API_PutRecordBatch.html).
// A fault of status 200 is the fate of the first record alone.
func (a *account) serveFirehose(function, operation string, input []byte) (any, error) {
	var in struct {
		DeliveryStreamName string
		Records            []struct{ Data []byte }
	}
	if err := json.Unmarshal(input, &in); err != nil {
		return nil, err
	}
	fault := a.faultOf(call{function: function, action: "firehose:" + operation, resource: arn("firehose", "deliverystream/"+in.DeliveryStreamName), input: input})
	partial, _ := errors.AsType[*awstest.Fault](fault)
	if fault != nil && partial.Status != http.StatusOK {
		return nil, fault
	}
	if operation != "PutRecordBatch" || !slices.Contains([]string{auditStream, adminStream, customersStream}, in.DeliveryStreamName) {
		return nil, missing("Firehose " + in.DeliveryStreamName + " not found under account " + accountID + ".")
	}
	type answer struct {
		RecordID     string `json:"RecordId,omitempty"`
		ErrorCode    string `json:",omitempty"`
		ErrorMessage string `json:",omitempty"`
	}
	var out struct {
		FailedPutCount   int
		RequestResponses []answer
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for i, r := range in.Records {
		if i == 0 && partial != nil {
			out.FailedPutCount++
			out.RequestResponses = append(out.RequestResponses, answer{ErrorCode: partial.Code, ErrorMessage: partial.Message})
			continue
		}
		out.RequestResponses = append(out.RequestResponses, answer{RecordID: uuid.NewString()})
		if in.DeliveryStreamName == customersStream {
			a.delivered = append(a.delivered, string(r.Data))
			continue
		}
		if in.DeliveryStreamName == adminStream {
			var act events.AdminRecord
			if err := strictly(r.Data, &act); err != nil || !bytes.HasSuffix(r.Data, []byte("\n")) {
				a.t.Errorf("no line of an administrative record: %q: %v", r.Data, err)
			}
			a.acts = append(a.acts, act)
			continue
		}
		var record events.AuditRecord
		if err := strictly(r.Data, &record); err != nil || !bytes.HasSuffix(r.Data, []byte("\n")) {
			a.t.Errorf("no line of an audit record: %q: %v", r.Data, err)
		}
		a.shipped = append(a.shipped, record)
	}
	a.change()
	return out, nil
}

// strictly decodes JSON that has no other fields.
func strictly(data []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	return d.Decode(into)
}

// serveSecrets is Secrets Manager's GetSecretValue
// (https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetSecretValue.html).
func (a *account) serveSecrets(function, operation string, input []byte) (any, error) {
	var in struct {
		SecretID string `json:"SecretId"`
	}
	if err := json.Unmarshal(input, &in); err != nil {
		return nil, err
	}
	if operation != "GetSecretValue" {
		return nil, unknown(operation)
	}
	if err := a.faultOf(call{function: function, action: "secretsmanager:" + operation, resource: secretARN(in.SecretID), input: input}); err != nil {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	value, ok := a.secrets[in.SecretID]
	if !ok {
		return nil, bad("ResourceNotFoundException", "Secrets Manager can't find the specified secret value for staging label: AWSCURRENT")
	}
	return map[string]any{"ARN": secretARN(in.SecretID), "Name": in.SecretID, "SecretString": value, "VersionStages": []string{"AWSCURRENT"}}, nil
}

// serveS3 is S3, addressed by path: objects are read, written, and written on conditions
// (https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html), and those
// of the log are locked.
func (a *account) serveS3(w http.ResponseWriter, r *http.Request, function string, body []byte) {
	bucket, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	c := call{function: function, resource: "arn:aws:s3:::" + bucket + "/" + key, input: []byte(key)}
	if key == "" {
		c.resource = "arn:aws:s3:::" + bucket
	}
	switch {
	case r.Method == http.MethodGet && key == "":
		c.action = "s3:ListBucket"
	case r.Method == http.MethodGet:
		c.action = "s3:GetObject"
	case r.Method == http.MethodPut:
		c.action = "s3:PutObject"
	case r.Method == http.MethodDelete:
		c.action = "s3:DeleteObject"
	}
	err := a.faultOf(c)
	if err == nil && r.Header.Get("X-Amz-Object-Lock-Mode") != "" {
		err = a.faultOf(call{function: function, action: "s3:PutObjectRetention", resource: c.resource})
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	object, there := a.objects[r.URL.Path]
	there = there && !a.markers[r.URL.Path]
	fail := func(status int, code string) {
		err = &awstest.Fault{Status: status, Code: code, Message: "The test's S3 says so."}
	}
	tag := func(object []byte) string { return fmt.Sprintf("%q", fmt.Sprintf("%x", md5.Sum(object))) }
	match, noneMatch := r.Header.Get("If-Match"), r.Header.Get("If-None-Match")
	switch {
	case err != nil:
	case c.action == "s3:ListBucket":
		a.listS3(w, bucket, r.URL.Query())
		return
	case c.action == "s3:GetObject" && there:
		w.Header().Set("ETag", tag(object))
		w.Header().Set("X-Amz-Checksum-Crc32", base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE(object))))
		_, _ = w.Write(object)
		return
	case c.action == "s3:GetObject":
		// Who may not list is not told what there is.
		if may, problem := permit(call{function: function, action: "s3:ListBucket", resource: "arn:aws:s3:::" + bucket}); problem != nil || !may {
			fail(http.StatusForbidden, "AccessDenied")
		} else {
			fail(http.StatusNotFound, "NoSuchKey")
		}
	case c.action == "s3:PutObject" && bucket != customersBucket && r.Header.Get("X-Amz-Checksum-Sha256") == "":
		fail(http.StatusBadRequest, "InvalidRequest") // Object Lock asks for one
	case c.action == "s3:PutObject" && (noneMatch == "*" && there || match != "" && there && match != tag(object)):
		fail(http.StatusPreconditionFailed, "PreconditionFailed")
	case c.action == "s3:PutObject" && match != "" && !there:
		fail(http.StatusNotFound, "NoSuchKey")
	case c.action == "s3:PutObject":
		a.objects[r.URL.Path] = body
		delete(a.markers, r.URL.Path)
		a.change()
		w.Header().Set("ETag", tag(body))
		return
	case c.action == "s3:DeleteObject":
		a.markers[r.URL.Path] = true
		w.WriteHeader(http.StatusNoContent)
		return
	default:
		err = unknown(r.Method + " " + r.URL.String())
	}
	fault, failed := errors.AsType[*awstest.Fault](err)
	if !failed {
		fault = &awstest.Fault{Status: http.StatusInternalServerError, Code: "InternalError", Message: err.Error()}
	}
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(fault.Status)
	_ = xml.NewEncoder(w).Encode(struct {
		XMLName       xml.Name `xml:"Error"`
		Code, Message string
	}{Code: fault.Code, Message: fault.Message})
}

// listS3 is S3's ListObjectsV2, without folders, on one page. The account's lock is held.
func (a *account) listS3(w http.ResponseWriter, bucket string, q url.Values) {
	type object struct{ Key string }
	var out struct {
		XMLName  xml.Name `xml:"ListBucketResult"`
		Contents []object
	}
	for _, path := range slices.Sorted(maps.Keys(a.objects)) {
		if key, in := strings.CutPrefix(path, "/"+bucket+"/"); in && !a.markers[path] && strings.HasPrefix(key, q.Get("prefix")) {
			out.Contents = append(out.Contents, object{key})
		}
	}
	_ = xml.NewEncoder(w).Encode(out)
}

// cloudFormationResponse is what a custom resource tells CloudFormation
// (https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref-responses.html).
type cloudFormationResponse struct {
	Status, Reason, PhysicalResourceID, StackID, RequestID, LogicalResourceID string
	NoEcho                                                                    bool
	Data                                                                      map[string]any
}

func (a *account) deployment(path string) (chan cloudFormationResponse, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	answered, ok := a.deployments[path]
	return answered, ok
}

func (a *account) serveCloudFormation(w http.ResponseWriter, body []byte, answered chan cloudFormationResponse) {
	var response cloudFormationResponse
	if err := json.Unmarshal(body, &response); err != nil || len(body) > 4096 {
		http.Error(w, "no answer of a custom resource", http.StatusBadRequest)
		return
	}
	answered <- response
}

// assets is the bucket that cdk keeps files in.
const assets = "cdk-hnb659fds-assets-" + accountID + "-" + region

// deploy publishes configurations, by the names of their files, as
// CloudFormation does when a stack is created or updated, and gives the answer.
func (a *account) deploy(flows map[string]string) cloudFormationResponse {
	a.t.Helper()
	var archive bytes.Buffer
	z := zip.NewWriter(&archive)
	for name, text := range flows {
		f, err := z.Create(name)
		a.must(err)
		_, err = f.Write([]byte(text))
		a.must(err)
	}
	a.must(z.Close())
	a.mu.Lock()
	key := "sym-flows/config-" + itoa(len(a.objects)+1) + ".zip"
	a.objects["/"+assets+"/"+key] = archive.Bytes()
	a.mu.Unlock()
	return a.customResource("Create", map[string]any{"Bucket": assets, "Key": key, "Org": "sym", "Build": "test"})
}

// customResource has publish handle a request of CloudFormation's.
func (a *account) customResource(kind string, properties map[string]any) cloudFormationResponse {
	a.t.Helper()
	id := uuid.NewString()
	answered := make(chan cloudFormationResponse, 1)
	a.mu.Lock()
	a.deployments["/cloudformation/"+id] = answered
	a.mu.Unlock()
	event := map[string]any{
		"RequestType": kind, "RequestId": id, "ResponseURL": a.url + "/cloudformation/" + id + "?X-Amz-Signature=presigned",
		"ResourceType": "Custom::SymFlowsConfiguration", "LogicalResourceId": "Configuration",
		"StackId": arn("cloudformation", "stack/sym-flows/1"), "ServiceToken": functionARN("publish"), "ResourceProperties": properties,
	}
	if kind != "Create" {
		event["PhysicalResourceId"] = "symflows-configuration"
	}
	payload, err := json.Marshal(event)
	a.must(err)
	if _, failed := a.invoke(functionARN("publish"), payload); failed != nil {
		a.t.Fatalf("publish failed: %+v", failed)
	}
	var response cloudFormationResponse
	select {
	case response = <-answered:
	default:
		a.t.Fatal("publish has ended and not answered: CloudFormation would wait for an hour")
	}
	if response.RequestID != id || response.LogicalResourceID != "Configuration" || response.PhysicalResourceID == "" {
		a.t.Errorf("answered %+v", response)
	}
	return response
}

// recordsOf gives the audit records of a run that were shipped, each once, in
// the order of their events. The caller holds the lock.
func (a *account) recordsOf(run string) (all []events.AuditRecord) {
	byID := map[string]events.AuditRecord{}
	for _, r := range a.shipped {
		if strings.HasSuffix(r.Run.SRN, run) {
			byID[r.ID] = r // the latest counts
		}
	}
	for _, r := range byID {
		all = append(all, r)
	}
	slices.SortFunc(all, func(x, y events.AuditRecord) int { return strings.Compare(x.ID, y.ID) })
	return all
}
