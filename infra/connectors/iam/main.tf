# The role by which strategies of type aws_iam put people into groups, with the variables
# and outputs of Sym's iam-connector.

data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}
data "aws_region" "current" {}

locals {
  # Roles of a deployment are <name>-<region>-<function>: this one's name is the usual
  # one, its region the provider's, and its account that of the runtime's role.
  usual           = "arn:${data.aws_partition.current.partition}:iam::${split(":", var.runtime_role_arns[0])[4]}:role/sym-flows-${data.aws_region.current.name}-access"
  access_role_arn = var.access_role_arn != null ? var.access_role_arn : local.usual
}

# Nobody else knows it, and it stays: it is kept in the state.
resource "random_uuid" "external_id" {}

module "connector" {
  source = "../terraform"

  access_role_arn = local.access_role_arn
  drift_role_arn  = replace(local.access_role_arn, "/access$/", "drift")
  external_id     = random_uuid.external_id.result
  role_name       = "SymIAM${title(var.environment)}"
  tags            = var.tags

  aws_iam = {
    group_arns = [
      for group in var.group_config :
      "arn:${data.aws_partition.current.partition}:iam::${data.aws_caller_identity.current.account_id}:group${group.path}${group.name}"
    ]
  }
}

# The role that Sym's module has made is kept, and trusts the deployment from then on.
moved {
  from = aws_iam_role.this
  to   = module.connector.aws_iam_role.connector
}
