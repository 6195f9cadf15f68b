# The role of a runtime, and what the provider keeps of it, with the variables and outputs
# of Sym's runtime-connector. By itself it may do nothing: the add-ons beside it let it
# take records of log destinations. Strategies go by connectors of their own.

data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}
data "aws_region" "current" {}

locals {
  account   = data.aws_caller_identity.current.account_id
  partition = data.aws_partition.current.partition

  # Roles of a deployment are <name>-<region>-<function>: this one's name is the usual
  # one, and its region the provider's.
  usual           = "arn:${local.partition}:iam::${var.sym_account_id != null ? var.sym_account_id : local.account}:role/sym-flows-${data.aws_region.current.name}-access"
  access_role_arn = var.access_role_arn != null ? var.access_role_arn : local.usual
}

# Nobody else knows it, and it stays: it is kept in the state.
resource "random_uuid" "external_id" {}

resource "aws_iam_role" "sym_runtime_connector_role" {
  name        = "SymRuntime${title(var.environment)}"
  path        = "/sym/"
  description = "Lets Sym Flows act here"
  tags        = var.tags

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Effect = "Allow"
        Action = "sts:AssumeRole"
        # The account, limited to the roles by their names: IAM refuses a principal that
        # is not there yet, and forgets one that is made anew.
        Principal = { AWS = "arn:${local.partition}:iam::${split(":", local.access_role_arn)[4]}:root" }
        Condition = {
          StringEquals = { "sts:ExternalId" = random_uuid.external_id.result }
          ArnEquals    = { "aws:PrincipalArn" = distinct([for function in ["access", "deliver", "drift"] : replace(local.access_role_arn, "/access$/", function)]) }
        }
      },
    ]
  })
}

resource "sym_integration" "runtime_context" {
  type        = "permission_context"
  name        = "${var.environment}-runtime-context"
  external_id = local.account

  settings = {
    cloud       = "aws"
    region      = data.aws_region.current.name
    role_arn    = aws_iam_role.sym_runtime_connector_role.arn
    external_id = random_uuid.external_id.result
    account_id  = local.account
  }
}

resource "sym_runtime" "this" {
  name       = var.environment
  context_id = sym_integration.runtime_context.id
}
