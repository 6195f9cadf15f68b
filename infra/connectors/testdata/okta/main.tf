locals {
  environment_name = "main"
}

module "runtime_connector" {
  source  = "symopsio/runtime-connector/aws"
  version = "~> 2.0"

  environment = local.environment_name
}

module "secrets_manager_access" {
  source  = "symopsio/secretsmgr-addon/aws"
  version = "~> 1.1"

  environment   = local.environment_name
  iam_role_name = module.runtime_connector.sym_runtime_connector_role.name
}

resource "sym_secrets" "this" {
  type     = "aws_secrets_manager"
  name     = "${local.environment_name}-secrets"
  settings = { context_id = module.runtime_connector.sym_integration.id }
}

resource "sym_secret" "okta_api_key" {
  path      = "sym/main/okta-api-key"
  source_id = sym_secrets.this.id
}

resource "sym_integration" "okta" {
  type        = "okta"
  name        = "${local.environment_name}-okta"
  external_id = "acme.okta.com"
  settings    = { api_token_secret = sym_secret.okta_api_key.id }
}
