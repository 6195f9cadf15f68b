package main

import (
	"cmp"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskinesisfirehose"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/jsii-runtime-go"
)

// How many days the buckets keep what they don't keep for good.
const (
	deadLetterDays = 90
	accessLogDays  = 365
	versionDays    = 90 // what was deleted or overwritten
	uploadDays     = 7  // uploads that were never completed
)

// byHour puts objects into folders by the hour of their arrival: the layout in
// which local mode writes, too.
const byHour = "year=!{timestamp:yyyy}/month=!{timestamp:MM}/day=!{timestamp:dd}/hour=!{timestamp:HH}/"

// addAudit makes the path of records: relay queues what happened to runs and what
// administrators did, transparency writes it to the transparency log and sends the lines to
// a stream of Firehose each, which write them to folders of the bucket, compressed.
func (d *deployment) addAudit() {
	d.addBuckets()
	d.auditStream = d.firehose("Audit", d.options.name, "audit")
	d.actStream = d.firehose("Admin", d.adminStream(), "admin")
	d.addTransparency()
}

// addBuckets makes the buckets: one for audit records, one for the transparency log over
// them, one for changes that relay or notify gave up on, and one for the logs of accesses
// to these.
func (d *deployment) addBuckets() {
	d.accessLogs = d.bucket("AccessLogBucket", bucket{expireDays: accessLogDays})

	// Object Lock can't be added to a bucket without replacing that; a bucket
	// that has it locks nothing until it is told for how long.
	d.auditBucket = d.bucket("AuditBucket", bucket{lock: true, retention: d.options.objectLock, expireDays: d.options.auditRetention, logged: true})
	d.logBucket = d.bucket("LogBucket", bucket{lock: true, retention: d.options.objectLock, versionDays: partialDays, logged: true})
	d.deadLetterBucket = d.bucket("DeadLetterBucket", bucket{expireDays: deadLetterDays, logged: true})
	// Counted by S3 as they come, for which it asks nothing while there are none.
	d.deadLetterBucket.SetMetricsConfigurations([]any{&awss3.CfnBucket_MetricsConfigurationProperty{Id: jsii.String(wholeBucket)}})

	statements := []any{insecure(d.accessLogs)}
	statements = append(statements, map[string]any{
		"Effect": "Allow", "Principal": map[string]any{"Service": "logging.s3.amazonaws.com"},
		"Action": "s3:PutObject", "Resource": *d.accessLogs.AttrArn() + "/*",
		"Condition": map[string]any{
			"StringEquals": map[string]any{"aws:SourceAccount": *awscdk.Aws_ACCOUNT_ID()},
			"ArnEquals":    map[string]any{"aws:SourceArn": []string{*d.auditBucket.AttrArn(), *d.logBucket.AttrArn(), *d.deadLetterBucket.AttrArn()}},
		},
	})
	d.bucketPolicy("AccessLogBucketPolicy", d.accessLogs, statements)
	d.bucketPolicy("AuditBucketPolicy", d.auditBucket, []any{insecure(d.auditBucket)})
	d.bucketPolicy("LogBucketPolicy", d.logBucket, []any{insecure(d.logBucket)})
	d.bucketPolicy("DeadLetterBucketPolicy", d.deadLetterBucket, []any{insecure(d.deadLetterBucket)})
}

// wholeBucket names what is counted in a bucket.
const wholeBucket = "EntireBucket"

// bucket has the settings in which buckets differ.
type bucket struct {
	expireDays  int  // how long objects are kept; 0: forever
	versionDays int  // how long what was deleted or overwritten is kept; 0: as in other buckets
	lock        bool // Object Lock is possible
	retention   objectLock
	logged      bool // accesses are logged
}

func (d *deployment) bucket(id string, b bucket) awss3.CfnBucket {
	rules := []any{&awss3.CfnBucket_RuleProperty{
		Id: jsii.String("versions"), Status: jsii.String("Enabled"),
		NoncurrentVersionExpiration:    &awss3.CfnBucket_NoncurrentVersionExpirationProperty{NoncurrentDays: jsii.Number(cmp.Or(b.versionDays, versionDays))},
		AbortIncompleteMultipartUpload: &awss3.CfnBucket_AbortIncompleteMultipartUploadProperty{DaysAfterInitiation: jsii.Number(uploadDays)},
	}}
	if b.expireDays > 0 {
		rules = append(rules, &awss3.CfnBucket_RuleProperty{
			Id: jsii.String("expire"), Status: jsii.String("Enabled"), ExpirationInDays: jsii.Number(b.expireDays),
		})
	}
	algorithm, bucketKey := jsii.String("AES256"), (*bool)(nil)
	if d.key != nil {
		algorithm, bucketKey = jsii.String("aws:kms"), jsii.Bool(true)
	}
	props := &awss3.CfnBucketProps{
		PublicAccessBlockConfiguration: &awss3.CfnBucket_PublicAccessBlockConfigurationProperty{
			BlockPublicAcls: jsii.Bool(true), BlockPublicPolicy: jsii.Bool(true), IgnorePublicAcls: jsii.Bool(true), RestrictPublicBuckets: jsii.Bool(true),
		},
		OwnershipControls: &awss3.CfnBucket_OwnershipControlsProperty{
			Rules: []any{&awss3.CfnBucket_OwnershipControlsRuleProperty{ObjectOwnership: jsii.String("BucketOwnerEnforced")}},
		},
		BucketEncryption: &awss3.CfnBucket_BucketEncryptionProperty{
			ServerSideEncryptionConfiguration: []any{&awss3.CfnBucket_ServerSideEncryptionRuleProperty{
				ServerSideEncryptionByDefault: &awss3.CfnBucket_ServerSideEncryptionByDefaultProperty{SseAlgorithm: algorithm, KmsMasterKeyId: d.key},
				BucketKeyEnabled:              bucketKey,
			}},
		},
		VersioningConfiguration: &awss3.CfnBucket_VersioningConfigurationProperty{Status: jsii.String("Enabled")},
		LifecycleConfiguration:  &awss3.CfnBucket_LifecycleConfigurationProperty{Rules: rules},
	}
	if b.lock {
		props.ObjectLockEnabled = jsii.Bool(true)
	}
	if b.retention.days > 0 {
		props.ObjectLockConfiguration = &awss3.CfnBucket_ObjectLockConfigurationProperty{
			ObjectLockEnabled: jsii.String("Enabled"),
			Rule: &awss3.CfnBucket_ObjectLockRuleProperty{DefaultRetention: &awss3.CfnBucket_DefaultRetentionProperty{
				Mode: jsii.String(b.retention.mode), Days: jsii.Number(b.retention.days),
			}},
		}
	}
	if b.logged {
		props.LoggingConfiguration = &awss3.CfnBucket_LoggingConfigurationProperty{
			DestinationBucketName: d.accessLogs.Ref(), LogFilePrefix: jsii.String(id + "/"),
		}
	}
	made := awss3.NewCfnBucket(d.stack, jsii.String(id), props)
	made.ApplyRemovalPolicy(awscdk.RemovalPolicy_RETAIN_ON_UPDATE_OR_DELETE, nil)
	d.kept = append(d.kept, id)
	return made
}

func (d *deployment) bucketPolicy(id string, b awss3.CfnBucket, statements []any) {
	awss3.NewCfnBucketPolicy(d.stack, jsii.String(id), &awss3.CfnBucketPolicyProps{Bucket: b.Ref(), PolicyDocument: document(statements...)})
}

// insecure refuses calls that don't come by TLS.
func insecure(b awss3.CfnBucket) any {
	return map[string]any{
		"Effect": "Deny", "Principal": "*", "Action": "s3:*",
		"Resource":  []string{*b.AttrArn(), *b.AttrArn() + "/*"},
		"Condition": map[string]any{"Bool": map[string]any{"aws:SecureTransport": "false"}},
	}
}

// adminStream is the name of the stream of what administrators did.
func (d *deployment) adminStream() string { return d.qualified("admin") }

// firehose makes a stream of a name that writes into a folder of the bucket.
func (d *deployment) firehose(id, name, folder string) awskinesisfirehose.CfnDeliveryStream {
	logs := d.logGroup(id+"StreamLogs", "/aws/kinesisfirehose/"+name)
	stream := awslogs.NewCfnLogStream(d.stack, jsii.String(id+"StreamLogStream"), &awslogs.CfnLogStreamProps{
		LogGroupName: logs.Ref(), LogStreamName: jsii.String("delivery"),
	})
	// Firehose says for whom it works by an external id, which is the account.
	// https://docs.aws.amazon.com/firehose/latest/dev/controlling-access.html
	ours := map[string]any{"StringEquals": map[string]any{"sts:ExternalId": *awscdk.Aws_ACCOUNT_ID()}}
	role := d.role(id+"StreamRole", d.roleName(strings.ToLower(id)+"-stream"), "firehose.amazonaws.com", ours, []right{
		{actions: []string{"s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketMultipartUploads"}, resources: []string{*d.auditBucket.AttrArn()}},
		// https://docs.aws.amazon.com/firehose/latest/dev/controlling-access.html#using-iam-s3
		{actions: []string{"s3:AbortMultipartUpload", "s3:GetObject", "s3:PutObject"}, resources: []string{*d.auditBucket.AttrArn() + "/" + folder + "/*", *d.auditBucket.AttrArn() + "/" + folder + "-errors/*"}},
		{actions: []string{"logs:PutLogEvents"}, resources: []string{*logs.AttrArn()}},
	})
	encryption := &awskinesisfirehose.CfnDeliveryStream_DeliveryStreamEncryptionConfigurationInputProperty{KeyType: jsii.String("AWS_OWNED_CMK")}
	if d.key != nil {
		encryption.KeyType, encryption.KeyArn = jsii.String("CUSTOMER_MANAGED_CMK"), d.key
	}
	return awskinesisfirehose.NewCfnDeliveryStream(d.stack, jsii.String(id+"Stream"), &awskinesisfirehose.CfnDeliveryStreamProps{
		DeliveryStreamName:                         jsii.String(name),
		DeliveryStreamType:                         jsii.String("DirectPut"),
		DeliveryStreamEncryptionConfigurationInput: encryption,
		ExtendedS3DestinationConfiguration: &awskinesisfirehose.CfnDeliveryStream_ExtendedS3DestinationConfigurationProperty{
			BucketArn:         d.auditBucket.AttrArn(),
			RoleArn:           role.AttrArn(),
			Prefix:            jsii.String(folder + "/" + byHour),
			ErrorOutputPrefix: jsii.String(folder + "-errors/!{firehose:error-output-type}/" + byHour),
			FileExtension:     jsii.String(".jsonl.gz"),
			CompressionFormat: jsii.String("GZIP"),
			BufferingHints:    &awskinesisfirehose.CfnDeliveryStream_BufferingHintsProperty{IntervalInSeconds: jsii.Number(60), SizeInMBs: jsii.Number(5)},
			CloudWatchLoggingOptions: &awskinesisfirehose.CfnDeliveryStream_CloudWatchLoggingOptionsProperty{
				Enabled: jsii.Bool(true), LogGroupName: logs.Ref(), LogStreamName: stream.Ref(),
			},
		},
	})
}
