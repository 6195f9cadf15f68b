locals {
  environment_name = "prod"
}

provider "aws" {
  alias   = "sso"
  region  = "us-east-1"
  profile = "sso"
}

data "aws_caller_identity" "sso" {
  provider = aws.sso
}

module "runtime_connector" {
  source  = "symopsio/runtime-connector/aws"
  version = "~> 2.0"

  environment         = local.environment_name
  account_id_safelist = [data.aws_caller_identity.sso.account_id]
}

module "sso_connector" {
  source  = "symopsio/sso-connector/aws"
  version = ">= 2.0.0"

  providers = {
    aws = aws.sso
  }

  environment       = local.environment_name
  runtime_role_arns = [module.runtime_connector.sym_runtime_connector_role.arn]
}

resource "sym_integration" "sso_context" {
  type        = "permission_context"
  name        = "${local.environment_name}-sso"
  external_id = module.sso_connector.settings["instance_arn"]
  settings    = module.sso_connector.settings
}

resource "sym_target" "operators" {
  type  = "aws_sso_permission_set"
  name  = "operators"
  label = "Operators"

  settings = {
    permission_set_arn = "arn:aws:sso:::permissionSet/ssoins-1234567890abcdef/ps-1234567890abcdef"
    account_id         = "333333333333"
  }
}

resource "sym_target" "on_call" {
  type     = "aws_sso_group"
  name     = "on-call"
  label    = "On call"
  settings = { group_id = "a1b2c3d4e5-11111111-2222-3333-4444-555555555555" }
}

resource "sym_strategy" "this" {
  type           = "aws_sso"
  name           = "${local.environment_name}-sso"
  integration_id = sym_integration.sso_context.id
  targets        = [sym_target.operators.id, sym_target.on_call.id]
  settings       = { instance_arn = module.sso_connector.settings["instance_arn"] }
}
