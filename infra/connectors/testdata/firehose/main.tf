locals {
  environment_name = "main"
}

module "runtime_connector" {
  source  = "symopsio/runtime-connector/aws"
  version = "~> 2.0"

  environment = local.environment_name
}

module "kinesis_firehose_access" {
  source  = "symopsio/kinesis-firehose-addon/aws"
  version = "~> 1.1"

  environment   = local.environment_name
  iam_role_name = module.runtime_connector.sym_runtime_connector_role.name
}

module "kinesis_data_stream_access" {
  source  = "symopsio/kinesis-data-stream-addon/aws"
  version = "~> 1.1"

  environment   = local.environment_name
  stream_arns   = ["arn:aws:kinesis:us-east-1:123456789012:stream/records"]
  iam_role_name = module.runtime_connector.sym_runtime_connector_role.name
}

module "kinesis_firehose_connector" {
  source  = "symopsio/kinesis-firehose-connector/aws"
  version = "~> 3.0"

  environment = local.environment_name
}

resource "aws_kinesis_firehose_delivery_stream" "logs" {
  name        = "SymS3Firehose"
  destination = "extended_s3"
  tags        = { SymEnv = local.environment_name }

  extended_s3_configuration {
    role_arn   = module.kinesis_firehose_connector.firehose_role_arn
    bucket_arn = module.kinesis_firehose_connector.firehose_bucket_arn
  }
}

resource "sym_log_destination" "firehose" {
  type           = "kinesis_firehose"
  integration_id = module.runtime_connector.sym_integration.id
  settings       = { stream_name = aws_kinesis_firehose_delivery_stream.logs.name }
}

resource "sym_log_destination" "stream" {
  type           = "kinesis_data_stream"
  integration_id = module.runtime_connector.sym_integration.id
  settings       = { stream_name = "records" }
}
