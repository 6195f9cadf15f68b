locals {
  environment_name = "main"
  function_arn     = "arn:aws:lambda:us-east-1:123456789012:function:grants"
}

module "runtime_connector" {
  source  = "symopsio/runtime-connector/aws"
  version = "~> 2.0"

  environment = local.environment_name
  tags        = { team = "platform" }
}

module "lambda_connector" {
  source  = "symopsio/lambda-connector/aws"
  version = ">= 1.0.0"

  environment       = local.environment_name
  lambda_arns       = [local.function_arn]
  runtime_role_arns = [module.runtime_connector.sym_runtime_connector_role.arn]
  tags              = { team = "platform" }
}

resource "sym_integration" "lambda_context" {
  type        = "permission_context"
  name        = "${local.environment_name}-lambda-context"
  external_id = module.lambda_connector.settings.account_id
  settings    = module.lambda_connector.settings
}

resource "sym_target" "database" {
  type     = "aws_lambda_function"
  name     = "database"
  label    = "Database"
  settings = { arn = local.function_arn }
}

resource "sym_strategy" "this" {
  type           = "aws_lambda"
  name           = "${local.environment_name}-lambda"
  integration_id = sym_integration.lambda_context.id
  targets        = [sym_target.database.id]
}
