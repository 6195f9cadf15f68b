package main

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/symflows/symflows/internal/store/dynamo"
)

// TestTable: the table is what the store describes.
func TestTable(t *testing.T) {
	t.Parallel()
	table := standard(t).Resources["Table"].Properties
	got := dynamo.Table{
		Key:    at(table, "KeySchema", 0, "AttributeName").(string),
		TTL:    at(table, "TimeToLiveSpecification", "AttributeName").(string),
		Stream: at(table, "StreamSpecification", "StreamViewType").(string),
	}
	keys := map[string]bool{got.Key: true}
	for _, i := range table["GlobalSecondaryIndexes"].([]any) {
		index := dynamo.Index{
			Name:       at(i, "IndexName").(string),
			Partition:  at(i, "KeySchema", 0, "AttributeName").(string),
			Sort:       at(i, "KeySchema", 1, "AttributeName").(string),
			Projection: at(i, "Projection", "ProjectionType").(string),
		}
		if at(i, "KeySchema", 0, "KeyType") != "HASH" || at(i, "KeySchema", 1, "KeyType") != "RANGE" {
			t.Errorf("keys of index %s: %v", index.Name, at(i, "KeySchema"))
		}
		keys[index.Partition], keys[index.Sort] = true, true
		got.Indexes = append(got.Indexes, index)
	}
	if diff := cmp.Diff(dynamo.Schema(), got); diff != "" {
		t.Error(diff)
	}
	if at(table, "KeySchema", 0, "KeyType") != "HASH" || at(table, "KeySchema", 1) != nil {
		t.Errorf("key %v", table["KeySchema"])
	}
	attributes := map[string]bool{}
	for _, a := range table["AttributeDefinitions"].([]any) {
		attributes[at(a, "AttributeName").(string)] = at(a, "AttributeType") == "S"
	}
	if diff := cmp.Diff(keys, attributes); diff != "" {
		t.Errorf("DynamoDB wants the attributes of keys, and no others: %s", diff)
	}
	for _, on := range []any{
		at(table, "TimeToLiveSpecification", "Enabled"), at(table, "PointInTimeRecoverySpecification", "PointInTimeRecoveryEnabled"), table["DeletionProtectionEnabled"],
	} {
		if on != true {
			t.Errorf("%v", table)
		}
	}
	if table["BillingMode"] != "PAY_PER_REQUEST" {
		t.Errorf("billing %v", table["BillingMode"])
	}
}
