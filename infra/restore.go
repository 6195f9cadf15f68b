package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/symflows/symflows/internal/store/dynamo"
)

// restoreFor is how long DynamoDB is waited for: as a rule it takes less than an hour,
// whatever the size (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/pointintimerecovery_howitworks.html).
const restoreFor = 12 * time.Hour

// restore makes a new table of a backup of the deployment's, as it was at a time, with
// the settings that a backup does not have, and writes its name into the kept outputs.
// The old table stays as it is. It may be repeated: a table that was restored already
// gets what it lacks.
func restore(ctx context.Context, d *deploy, out io.Writer) error {
	outputs, err := readOutputs(d.outputs, d.stack)
	if err != nil {
		return err
	}
	source := outputs["TableName"]
	if source == "" {
		return fmt.Errorf("%s has no output TableName of a stack %s: it is what make deploy has written, to be kept with the configuration", d.outputs, d.stack)
	}
	if d.deployed != nil {
		return fmt.Errorf("the stack %s is there, and works on the table %s: delete it first (its table, buckets, secrets and key stay), so that nothing is granted or removed meanwhile. docs/disaster.md says how", d.stack, source)
	}
	in := &dynamodb.RestoreTableToPointInTimeInput{SourceTableName: &source, BillingModeOverride: types.BillingModePayPerRequest}
	name := "latest"
	if d.restoreTo == "latest" {
		in.UseLatestRestorableTime = aws.Bool(true)
	} else {
		at, err := time.Parse(time.RFC3339, d.restoreTo)
		if err != nil || at.After(d.now()) {
			return errors.New("-to is missing, or no time of the past: give latest, or a time of the last 35 days such as 2026-03-02T09:00:00Z")
		}
		in.RestoreDateTime, name = aws.Time(at.UTC()), at.UTC().Format("20060102T150405Z")
	}
	if key := outputs["KeyArn"]; key != "" {
		in.SSESpecificationOverride = &types.SSESpecification{Enabled: aws.Bool(true), SSEType: types.SSETypeKms, KMSMasterKeyId: &key}
	}
	target := source + "-" + name
	in.TargetTableName = &target
	api := dynamodb.NewFromConfig(d.aws)
	_, err = api.RestoreTableToPointInTime(ctx, in)
	if _, there := errors.AsType[*types.TableAlreadyExistsException](err); err != nil && !there {
		return fmt.Errorf("restore %s: %w", source, err)
	}
	fmt.Fprintf(out, "restoring %s as %s; that can take an hour\n", source, target)
	table, err := d.settle(ctx, api, source, target)
	if err != nil {
		return fmt.Errorf("set up %s: %w (do the same again to go on)", target, err)
	}
	outputs["TableName"], outputs["TableArn"], outputs["TableStreamArn"] = target, aws.ToString(table.TableArn), aws.ToString(table.LatestStreamArn)
	if err := writeOutputs(d.outputs, d.stack, outputs); err != nil {
		return err
	}
	fmt.Fprintf(out, "%s has stream, time to live, backups, tags and deletion protection, and %s names it now. The table %s is as it was.\n", target, d.outputs, source)
	return nil
}

// settle gives a restored table what a backup does not have.
func (d *deploy) settle(ctx context.Context, api *dynamodb.Client, source, target string) (*types.TableDescription, error) {
	schema := dynamo.Schema()
	table, err := d.active(ctx, api, target)
	if err != nil {
		return nil, err
	}
	if table.StreamSpecification == nil || !aws.ToBool(table.StreamSpecification.StreamEnabled) {
		if _, err := api.UpdateTable(ctx, &dynamodb.UpdateTableInput{
			TableName: &target, StreamSpecification: &types.StreamSpecification{StreamEnabled: aws.Bool(true), StreamViewType: types.StreamViewType(schema.Stream)},
		}); err != nil {
			return nil, err
		}
		if table, err = d.active(ctx, api, target); err != nil {
			return nil, err
		}
	}
	if !aws.ToBool(table.DeletionProtectionEnabled) {
		if _, err := api.UpdateTable(ctx, &dynamodb.UpdateTableInput{TableName: &target, DeletionProtectionEnabled: aws.Bool(true)}); err != nil {
			return nil, err
		}
		if table, err = d.active(ctx, api, target); err != nil {
			return nil, err
		}
	}
	ttl, err := api.DescribeTimeToLive(ctx, &dynamodb.DescribeTimeToLiveInput{TableName: &target})
	if err != nil {
		return nil, err
	}
	if s := ttl.TimeToLiveDescription; s == nil || s.TimeToLiveStatus != types.TimeToLiveStatusEnabled && s.TimeToLiveStatus != types.TimeToLiveStatusEnabling {
		if _, err := api.UpdateTimeToLive(ctx, &dynamodb.UpdateTimeToLiveInput{
			TableName: &target, TimeToLiveSpecification: &types.TimeToLiveSpecification{AttributeName: &schema.TTL, Enabled: aws.Bool(true)},
		}); err != nil {
			return nil, err
		}
	}
	if _, err := api.UpdateContinuousBackups(ctx, &dynamodb.UpdateContinuousBackupsInput{
		TableName: &target, PointInTimeRecoverySpecification: &types.PointInTimeRecoverySpecification{PointInTimeRecoveryEnabled: aws.Bool(true)},
	}); err != nil {
		return nil, err
	}
	return table, d.copyTags(ctx, api, source, table)
}

// active waits until a table takes changes.
func (d *deploy) active(ctx context.Context, api *dynamodb.Client, name string) (*types.TableDescription, error) {
	ready := dynamodb.NewTableExistsWaiter(api, func(o *dynamodb.TableExistsWaiterOptions) { o.MinDelay, o.MaxDelay = d.pause, 5*d.pause })
	told, err := ready.WaitForOutput(ctx, &dynamodb.DescribeTableInput{TableName: &name}, restoreFor)
	if err != nil {
		return nil, err
	}
	return told.Table, nil
}

// copyTags gives the restored table the tags of the other one, without those that AWS
// itself makes.
func (d *deploy) copyTags(ctx context.Context, api *dynamodb.Client, source string, table *types.TableDescription) error {
	old, err := api.DescribeTable(ctx, &dynamodb.DescribeTableInput{TableName: &source})
	if _, gone := errors.AsType[*types.ResourceNotFoundException](err); gone {
		return nil // the deploy gives it those of the stack
	}
	if err != nil {
		return err
	}
	in := &dynamodb.ListTagsOfResourceInput{ResourceArn: old.Table.TableArn}
	for {
		page, err := api.ListTagsOfResource(ctx, in)
		if err != nil {
			return err
		}
		var tags []types.Tag
		for _, t := range page.Tags {
			if !isAWS(aws.ToString(t.Key)) {
				tags = append(tags, t)
			}
		}
		if len(tags) > 0 {
			if _, err := api.TagResource(ctx, &dynamodb.TagResourceInput{ResourceArn: table.TableArn, Tags: tags}); err != nil {
				return err
			}
		}
		if in.NextToken = page.NextToken; in.NextToken == nil {
			return nil
		}
	}
}

// isAWS tells whether a tag is one of those that only AWS gives.
func isAWS(key string) bool { return len(key) >= 4 && key[:4] == "aws:" }
