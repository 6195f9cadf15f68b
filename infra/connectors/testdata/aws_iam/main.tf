locals {
  environment_name = "main"
}

module "runtime_connector" {
  source  = "symopsio/runtime-connector/aws"
  version = "~> 2.0"

  environment = local.environment_name
}

module "iam_connector" {
  source  = "symopsio/iam-connector/aws"
  version = "~> 2.0"

  environment       = local.environment_name
  runtime_role_arns = [module.runtime_connector.sym_runtime_connector_role.arn]
}

resource "sym_integration" "iam_context" {
  type        = "permission_context"
  name        = "${local.environment_name}-iam"
  external_id = module.iam_connector.settings.account_id
  settings    = module.iam_connector.settings
}

resource "aws_iam_group" "readers" {
  name = "Readers"
  path = "/sym/"
}

resource "sym_target" "readers" {
  type     = "aws_iam_group"
  name     = "readers"
  label    = "Readers"
  settings = { iam_group = aws_iam_group.readers.name }
}

resource "sym_strategy" "this" {
  type           = "aws_iam"
  name           = "${local.environment_name}-iam"
  integration_id = sym_integration.iam_context.id
  targets        = [sym_target.readers.id]
}

resource "sym_environment" "this" {
  name       = local.environment_name
  runtime_id = module.runtime_connector.sym_runtime.id
}
