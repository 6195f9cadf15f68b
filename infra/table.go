package main

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsdynamodb"
	"github.com/aws/jsii-runtime-go"

	"github.com/symflows/symflows/internal/store/dynamo"
)

// addTable makes the table that store/dynamo describes. The table knows which
// access is live: it outlives the stack, and can't be deleted by mistake.
func (d *deployment) addTable() {
	schema := dynamo.Schema()
	attributes := []any{}
	known := map[string]bool{}
	attribute := func(name string) *string {
		if !known[name] {
			known[name] = true
			attributes = append(attributes, &awsdynamodb.CfnTable_AttributeDefinitionProperty{AttributeName: jsii.String(name), AttributeType: jsii.String("S")})
		}
		return jsii.String(name)
	}
	key := func(name, kind string) any {
		return &awsdynamodb.CfnTable_KeySchemaProperty{AttributeName: attribute(name), KeyType: jsii.String(kind)}
	}
	keys := []any{key(schema.Key, "HASH")}
	indexes := []any{}
	for _, i := range schema.Indexes {
		indexes = append(indexes, &awsdynamodb.CfnTable_GlobalSecondaryIndexProperty{
			IndexName:  jsii.String(i.Name),
			KeySchema:  []any{key(i.Partition, "HASH"), key(i.Sort, "RANGE")},
			Projection: &awsdynamodb.CfnTable_ProjectionProperty{ProjectionType: jsii.String(i.Projection)},
		})
	}
	var encryption *awsdynamodb.CfnTable_SSESpecificationProperty
	if d.key != nil {
		encryption = &awsdynamodb.CfnTable_SSESpecificationProperty{SseEnabled: jsii.Bool(true), SseType: jsii.String("KMS"), KmsMasterKeyId: d.key}
	}
	d.table = awsdynamodb.NewCfnTable(d.stack, jsii.String("Table"), &awsdynamodb.CfnTableProps{
		BillingMode:            jsii.String("PAY_PER_REQUEST"),
		KeySchema:              keys,
		GlobalSecondaryIndexes: indexes,
		AttributeDefinitions:   attributes,
		StreamSpecification:    &awsdynamodb.CfnTable_StreamSpecificationProperty{StreamViewType: jsii.String(schema.Stream)},
		TimeToLiveSpecification: &awsdynamodb.CfnTable_TimeToLiveSpecificationProperty{
			AttributeName: jsii.String(schema.TTL), Enabled: jsii.Bool(true),
		},
		PointInTimeRecoverySpecification: &awsdynamodb.CfnTable_PointInTimeRecoverySpecificationProperty{PointInTimeRecoveryEnabled: jsii.Bool(true)},
		DeletionProtectionEnabled:        jsii.Bool(true),
		SseSpecification:                 encryption,
	})
	// Kept even if the first deploy fails: deletion protection would have the
	// rollback fail, too.
	d.table.ApplyRemovalPolicy(awscdk.RemovalPolicy_RETAIN, nil)
	d.kept = append(d.kept, "Table")
}
