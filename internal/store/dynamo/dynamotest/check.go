package dynamotest

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/symflows/symflows/internal/store/dynamo"
)

// DynamoDB's limits.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html
const (
	maxItemBytes      = 400 << 10
	maxPartitionBytes = 2048
	maxSortBytes      = 1024
	maxBatchKeys      = 100
)

func invalid(format string, args ...any) (answer, bool) {
	return refuse("ValidationException", fmt.Sprintf(format, args...)), true
}

// check refuses what DynamoDB would refuse and the engine takes.
func check(op string, in request) (answer, bool) {
	for _, expression := range []string{in.ConditionExpression, in.KeyConditionExpression, in.FilterExpression} {
		if a, bad := checkExpression(expression); bad {
			return a, true
		}
	}
	switch op {
	case "PutItem":
		return checkItem(in.Item)
	case "Query":
		return checkQuery(in)
	case "BatchGetItem":
		return checkBatch(in)
	}
	return answer{}, false
}

var (
	word = regexp.MustCompile(`[#:]?\w+`)
	// known are the words of the language of expressions.
	known = []string{"AND", "OR", "NOT", "BETWEEN", "IN", "attribute_exists", "attribute_not_exists", "attribute_type", "begins_with", "contains", "size"}
)

// checkExpression refuses names of attributes as they are: many, such as "key",
// are words that DynamoDB reserves.
func checkExpression(expression string) (answer, bool) {
	for _, w := range word.FindAllString(expression, -1) {
		if w[0] != '#' && w[0] != ':' && !slices.Contains(known, w) {
			return invalid("Invalid expression: write a placeholder for the attribute name %s", w)
		}
	}
	return answer{}, false
}

func checkItem(i item) (answer, bool) {
	if size(i) > maxItemBytes {
		return invalid("Item size has exceeded the maximum allowed size")
	}
	limits := map[string]int{schema.Key: maxPartitionBytes}
	for _, index := range schema.Indexes {
		limits[index.Partition] = maxPartitionBytes
	}
	for _, index := range schema.Indexes {
		limits[index.Sort] = maxSortBytes
	}
	for name, limit := range limits {
		value := i[name]
		switch {
		case value == nil && name != schema.Key:
		case value == nil || value.S == nil:
			return invalid("One or more parameter values were invalid: Type mismatch for key %s expected: S", name)
		case *value.S == "":
			return invalid("One or more parameter values are not valid. A key attribute has an empty string value: %s", name)
		case len(*value.S) > limit:
			return invalid("One or more parameter values were invalid: Size of %s has exceeded the maximum size limit of %d bytes", name, limit)
		}
	}
	if ttl := i[schema.TTL]; ttl != nil && ttl.N == nil {
		return invalid("the time to live is no number: DynamoDB would take the item, and never delete it")
	}
	return answer{}, false
}

var between = regexp.MustCompile(`BETWEEN (:\w+) AND (:\w+)`)

func checkQuery(in request) (answer, bool) {
	if !slices.ContainsFunc(schema.Indexes, func(i dynamo.Index) bool { return i.Name == in.IndexName }) {
		return invalid("The table does not have the specified index: %s", in.IndexName)
	}
	if in.ConsistentRead {
		return invalid("Consistent reads are not supported on global secondary indexes")
	}
	for name := range in.ExpressionAttributeValues {
		switch value := textOf(in.ExpressionAttributeValues, name); {
		case value == "":
			return invalid("One or more parameter values are not valid: the value of %s for a key is an empty string", name)
		case len(value) > maxPartitionBytes, len(value) > maxSortBytes && !strings.Contains(in.KeyConditionExpression, "= "+name):
			return invalid("One or more parameter values were invalid: the value of %s for a key is too large", name)
		}
	}
	if bounds := between.FindStringSubmatch(in.KeyConditionExpression); bounds != nil {
		if from, to := textOf(in.ExpressionAttributeValues, bounds[1]), textOf(in.ExpressionAttributeValues, bounds[2]); from > to {
			return invalid("The BETWEEN operator requires upper bound to be greater than or equal to lower bound; lower bound operand: %s, upper bound operand: %s", from, to)
		}
	}
	return answer{}, false
}

func checkBatch(in request) (answer, bool) {
	asked := in.RequestItems[TableName]
	if asked == nil {
		return refuse("ResourceNotFoundException", "Requested resource not found"), true
	}
	if len(asked.Keys) > maxBatchKeys {
		return invalid("Too many items requested for the BatchGetItem call")
	}
	seen := map[string]bool{}
	for _, key := range asked.Keys {
		text := textOf(key, schema.Key)
		if seen[text] {
			return invalid("Provided list of item keys contains duplicates")
		}
		seen[text] = true
	}
	return answer{}, false
}
