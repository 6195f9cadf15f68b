package dynamotest_test

import (
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"

	"github.com/symflows/symflows/internal/store/dynamo/dynamotest"
)

type item = map[string]types.AttributeValue

func text(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }

// with adds attributes to an item, in pairs of name and text.
func with(i item, pairs ...string) item {
	i = maps.Clone(i)
	for n := 0; n < len(pairs); n += 2 {
		i[pairs[n]] = text(pairs[n+1])
	}
	return i
}

func start(t *testing.T) (*dynamotest.Server, *dynamodb.Client) {
	t.Helper()
	s := dynamotest.Start(t)
	return s, dynamodb.NewFromConfig(s.Config())
}

func put(i item) *dynamodb.PutItemInput {
	return &dynamodb.PutItemInput{TableName: aws.String(dynamotest.TableName), Item: i}
}

var one = item{"key": text("run#1"), "kind": text("run#")}

// What DynamoDB refuses, and what nobody may ask for, is refused with the code
// that it has there.
func TestServer_Refuses(t *testing.T) {
	t.Parallel()
	query := func(index, condition string, values item) *dynamodb.QueryInput {
		return &dynamodb.QueryInput{
			TableName: aws.String(dynamotest.TableName), IndexName: aws.String(index),
			KeyConditionExpression: aws.String(condition), ExpressionAttributeNames: map[string]string{"#p": "kind", "#s": "key"}, ExpressionAttributeValues: values,
		}
	}
	const both = "#p = :p AND #s BETWEEN :from AND :to"
	keys := func(keys ...string) *dynamodb.BatchGetItemInput {
		ask := types.KeysAndAttributes{}
		for _, key := range keys {
			ask.Keys = append(ask.Keys, item{"key": text(key)})
		}
		return &dynamodb.BatchGetItemInput{RequestItems: map[string]types.KeysAndAttributes{dynamotest.TableName: ask}}
	}
	tooMany := make([]string, 101)
	for n := range tooMany {
		tooMany[n] = fmt.Sprint(n)
	}
	for name, test := range map[string]struct {
		in   any
		want string // error code
	}{
		"Item":           {put(one), ""},
		"LargestItem":    {put(with(one, "x", strings.Repeat("x", 400<<10-len("keyrun#1kindrun#x")))), ""},
		"TooLarge":       {put(with(one, "x", strings.Repeat("x", 400<<10-len("keyrun#1kindrun#x")+1))), "ValidationException"},
		"NoKey":          {put(item{"kind": text("run#")}), "ValidationException"},
		"EmptyKey":       {put(with(one, "key", "")), "ValidationException"},
		"EmptyIndexKey":  {put(with(one, "status", "")), "ValidationException"},
		"LongPartition":  {put(with(one, "status", strings.Repeat("s", 2049))), "ValidationException"},
		"LongSort":       {put(with(one, "due_at", strings.Repeat("d", 1025))), "ValidationException"},
		"LongKey":        {put(with(one, "key", strings.Repeat("k", 1025))), "ValidationException"},
		"NumberAsKey":    {put(item{"key": text("run#1"), "status": &types.AttributeValueMemberN{Value: "1"}}), "ValidationException"},
		"TTL":            {put(with(one, "ttl", "2026-01-01")), "ValidationException"},
		"OtherTable":     {&dynamodb.PutItemInput{TableName: aws.String("other"), Item: one}, "ResourceNotFoundException"},
		"ReservedWord":   {&dynamodb.PutItemInput{TableName: aws.String(dynamotest.TableName), Item: one, ConditionExpression: aws.String("attribute_not_exists(key)")}, "ValidationException"},
		"Query":          {query("kind", both, item{":p": text("run#"), ":from": text("a"), ":to": text("b")}), ""},
		"NoIndex":        {query("colour", both, item{":p": text("run#"), ":from": text("a"), ":to": text("b")}), "ValidationException"},
		"EmptyValue":     {query("kind", both, item{":p": text("run#"), ":from": text(""), ":to": text("b")}), "ValidationException"},
		"LongValue":      {query("kind", both, item{":p": text("run#"), ":from": text("a"), ":to": text(strings.Repeat("b", 1025))}), "ValidationException"},
		"LongPartitions": {query("kind", both, item{":p": text(strings.Repeat("p", 2049)), ":from": text("a"), ":to": text("b")}), "ValidationException"},
		"UpsideDown":     {query("kind", both, item{":p": text("run#"), ":from": text("b"), ":to": text("a")}), "ValidationException"},
		"Keys":           {keys("a", "b"), ""},
		"OtherKeys":      {&dynamodb.BatchGetItemInput{RequestItems: map[string]types.KeysAndAttributes{"other": {Keys: []item{{"key": text("a")}}}}}, "ResourceNotFoundException"},
		"SameKey":        {keys("a", "b", "a"), "ValidationException"},
		"TooManyKeys":    {keys(tooMany...), "ValidationException"},
		"Update":         {&dynamodb.UpdateItemInput{TableName: aws.String(dynamotest.TableName), Key: one}, "UnknownOperationException"},
		"Scan":           {&dynamodb.ScanInput{TableName: aws.String(dynamotest.TableName)}, "UnknownOperationException"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server, api := start(t)
			var err error
			switch in := test.in.(type) {
			case *dynamodb.PutItemInput:
				_, err = api.PutItem(t.Context(), in)
			case *dynamodb.QueryInput:
				_, err = api.Query(t.Context(), in)
			case *dynamodb.BatchGetItemInput:
				_, err = api.BatchGetItem(t.Context(), in)
			case *dynamodb.UpdateItemInput:
				_, err = api.UpdateItem(t.Context(), in)
			case *dynamodb.ScanInput:
				_, err = api.Scan(t.Context(), in)
			}
			code := ""
			if refused, ok := errors.AsType[smithy.APIError](err); ok {
				code = refused.ErrorCode()
			} else if err != nil {
				t.Fatal(err)
			}
			if code != test.want {
				t.Errorf("%v, want %q", err, test.want)
			}
			if got := server.Meter(); test.want == "ValidationException" && got != (dynamotest.Meter{}) {
				t.Errorf("it was refused, and cost %+v", got)
			}
		})
	}
}

// A failed condition comes with the stored item where it is asked for.
func TestServer_AllOld(t *testing.T) {
	t.Parallel()
	_, api := start(t)
	if _, err := api.PutItem(t.Context(), put(with(one, "writer", "first"))); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		ask  types.ReturnValuesOnConditionCheckFailure
		key  string
		want string
	}{
		{types.ReturnValuesOnConditionCheckFailureAllOld, "run#1", "first"},
		{types.ReturnValuesOnConditionCheckFailureAllOld, "run#none", ""},
		{types.ReturnValuesOnConditionCheckFailureNone, "run#1", ""},
	} {
		in := put(with(one, "key", test.key))
		in.ConditionExpression = aws.String("#writer = :writer")
		in.ExpressionAttributeNames, in.ExpressionAttributeValues = map[string]string{"#writer": "writer"}, item{":writer": text("nobody")}
		in.ReturnValuesOnConditionCheckFailure = test.ask
		_, err := api.PutItem(t.Context(), in)
		failed, ok := errors.AsType[*types.ConditionalCheckFailedException](err)
		if !ok {
			t.Fatalf("put %s: %v, want a failed condition", test.key, err)
		}
		got, _ := failed.Item["writer"].(*types.AttributeValueMemberS)
		if (got != nil) != (test.want != "") || got != nil && got.Value != test.want {
			t.Errorf("put %s, %s: the item %v, want writer %q", test.key, test.ask, failed.Item, test.want)
		}
	}
}

// The figures are those of AWS's documentation of requests and their units.
func TestServer_Meter(t *testing.T) {
	t.Parallel()
	server, api := start(t)
	due := func(at string) item { return with(one, "due", "due", "due_at", at, "x", strings.Repeat("x", 1500)) }
	refused := put(one)
	refused.ConditionExpression = aws.String("attribute_not_exists(#key)")
	refused.ExpressionAttributeNames = map[string]string{"#key": "key"}
	key := item{"key": text("run#1")}
	get := func(consistent bool) *dynamodb.GetItemInput {
		return &dynamodb.GetItemInput{TableName: aws.String(dynamotest.TableName), Key: key, ConsistentRead: &consistent}
	}
	var before dynamotest.Meter
	for _, step := range []struct {
		what string
		do   func() error
		want dynamotest.Meter
	}{
		{"insert: 2 KB, two entries", func() error { _, err := api.PutItem(t.Context(), put(due("1"))); return err }, dynamotest.Meter{Writes: 1, WriteUnits: 2 + 2}},
		{"change nothing indexed", func() error { _, err := api.PutItem(t.Context(), put(with(due("1"), "y", "y"))); return err }, dynamotest.Meter{Writes: 1, WriteUnits: 2}},
		{"move an entry", func() error { _, err := api.PutItem(t.Context(), put(due("2"))); return err }, dynamotest.Meter{Writes: 1, WriteUnits: 2 + 2}},
		{"get", func() error { _, err := api.GetItem(t.Context(), get(true)); return err }, dynamotest.Meter{Reads: 1, ReadUnits: 1}},
		{"get, eventually", func() error { _, err := api.GetItem(t.Context(), get(false)); return err }, dynamotest.Meter{Reads: 1, ReadUnits: 0.5}},
		{"shrink, and leave an index", func() error { _, err := api.PutItem(t.Context(), put(one)); return err }, dynamotest.Meter{Writes: 1, WriteUnits: 2 + 1}},
		{"fail", func() error {
			_, err := api.PutItem(t.Context(), refused)
			if _, ok := errors.AsType[*types.ConditionalCheckFailedException](err); !ok {
				return fmt.Errorf("the condition held: %w", err)
			}
			return nil
		}, dynamotest.Meter{Writes: 1, WriteUnits: 1}},
		{"delete", func() error {
			_, err := api.DeleteItem(t.Context(), &dynamodb.DeleteItemInput{TableName: aws.String(dynamotest.TableName), Key: key})
			return err
		}, dynamotest.Meter{Writes: 1, WriteUnits: 1 + 1}},
		{"get nothing", func() error { _, err := api.GetItem(t.Context(), get(true)); return err }, dynamotest.Meter{Reads: 1, ReadUnits: 1}},
	} {
		if err := step.do(); err != nil {
			t.Fatalf("%s: %v", step.what, err)
		}
		now := server.Meter()
		got := dynamotest.Meter{Writes: now.Writes - before.Writes, WriteUnits: now.WriteUnits - before.WriteUnits, Reads: now.Reads - before.Reads, ReadUnits: now.ReadUnits - before.ReadUnits}
		if got != step.want {
			t.Errorf("%s: %+v, want %+v", step.what, got, step.want)
		}
		before = now
	}
}

// Records have both images, and arrive in order though their reader writes.
func TestServer_Subscribe(t *testing.T) {
	t.Parallel()
	server, api := start(t)
	records := make(chan events.DynamoDBEventRecord, 10)
	server.Subscribe(func(r events.DynamoDBEventRecord) {
		if r.EventName == "INSERT" {
			if _, err := api.PutItem(t.Context(), put(with(one, "x", "new"))); err != nil {
				t.Error(err)
			}
		}
		records <- r
	})
	if _, err := api.PutItem(t.Context(), put(with(one, "x", "old"))); err != nil {
		t.Fatal(err)
	}
	insert, modify := <-records, <-records
	if _, err := api.DeleteItem(t.Context(), &dynamodb.DeleteItemInput{TableName: aws.String(dynamotest.TableName), Key: item{"key": text("run#1")}}); err != nil {
		t.Fatal(err)
	}
	remove := <-records
	x := func(image map[string]events.DynamoDBAttributeValue) string {
		if image == nil {
			return "none"
		}
		return image["x"].String()
	}
	var got []string
	for _, r := range []events.DynamoDBEventRecord{insert, modify, remove} {
		got = append(got, fmt.Sprint(r.EventName, " ", r.Change.Keys["key"].String(), " ", x(r.Change.OldImage), " ", x(r.Change.NewImage)))
	}
	want := []string{"INSERT run#1 none old", "MODIFY run#1 old new", "REMOVE run#1 new none"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("records (-want +got):\n%s", diff)
	}
	if insert.Change.SequenceNumber >= modify.Change.SequenceNumber || insert.EventID == modify.EventID || insert.Change.StreamViewType != "NEW_AND_OLD_IMAGES" {
		t.Errorf("records are numbered %s, %s, and show %s", insert.Change.SequenceNumber, modify.Change.SequenceNumber, insert.Change.StreamViewType)
	}
}

// A subscriber that comes late gets what was before.
func TestServer_SubscribeLate(t *testing.T) {
	t.Parallel()
	server, api := start(t)
	for _, key := range []string{"run#1", "run#1", "run#2"} { // the second changes nothing
		if _, err := api.PutItem(t.Context(), put(with(one, "key", key))); err != nil {
			t.Fatal(err)
		}
	}
	keys := make(chan string, 10)
	server.Subscribe(func(r events.DynamoDBEventRecord) { keys <- r.Change.Keys["key"].String() })
	if a, b := <-keys, <-keys; a != "run#1" || b != "run#2" {
		t.Errorf("records of %s and %s", a, b)
	}
}

// Whoever decides on a request may keep it waiting.
func TestServer_Latency(t *testing.T) {
	t.Parallel()
	server, api := start(t)
	arrived, goOn := make(chan dynamotest.Call), make(chan struct{})
	server.Fail(func(call dynamotest.Call) dynamotest.Fault {
		if call.Op == "PutItem" {
			arrived <- call
			<-goOn
		}
		return dynamotest.None
	})
	done := make(chan error, 1)
	go func() { _, err := api.PutItem(t.Context(), put(one)); done <- err }()
	if diff := cmp.Diff(dynamotest.Call{Op: "PutItem", Attempt: 1, Keys: []string{"run#1"}}, <-arrived); diff != "" {
		t.Errorf("call (-want +got):\n%s", diff)
	}
	if server.Meter() != (dynamotest.Meter{}) { // others are served meanwhile
		t.Errorf("it was served before its time: %+v", server.Meter())
	}
	close(goOn)
	if err := <-done; err != nil {
		t.Error(err)
	}
	server.Fail(nil)
	if _, err := api.PutItem(t.Context(), put(one)); err != nil {
		t.Error(err)
	}
	if got := server.Meter().Writes; got != 2 {
		t.Errorf("%d writes, want 2", got)
	}
}
