# The role by which strategies of type aws_sso give permission sets and memberships of
# groups, with the variables and outputs of Sym's sso-connector. It may give whatever the
# instance has: for less, take ../terraform, which names permission sets, accounts and
# groups.

data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}
data "aws_region" "current" {}

data "aws_ssoadmin_instances" "this" {}

locals {
  # Roles of a deployment are <name>-<region>-<function>: this one's name is the usual
  # one, its region the provider's, and its account that of the runtime's role.
  usual           = "arn:${data.aws_partition.current.partition}:iam::${split(":", var.runtime_role_arns[0])[4]}:role/sym-flows-${data.aws_region.current.name}-access"
  access_role_arn = var.access_role_arn != null ? var.access_role_arn : local.usual

  account      = data.aws_caller_identity.current.account_id
  partition    = data.aws_partition.current.partition
  instance_arn = tolist(data.aws_ssoadmin_instances.this.arns)[0]
  store_id     = tolist(data.aws_ssoadmin_instances.this.identity_store_ids)[0]
}

# Nobody else knows it, and it stays: it is kept in the state.
resource "random_uuid" "external_id" {}

module "connector" {
  source = "../terraform"

  access_role_arn = local.access_role_arn
  drift_role_arn  = replace(local.access_role_arn, "/access$/", "drift")
  external_id     = random_uuid.external_id.result
  role_name       = "SymSSO${title(var.environment)}"
  tags            = var.tags

  aws_sso = {
    instance_arn        = local.instance_arn
    identity_store_id   = local.store_id
    permission_set_arns = ["arn:${local.partition}:sso:::permissionSet/${split("/", local.instance_arn)[1]}/*"]
    account_ids         = ["*"]
    group_ids           = ["*"]
  }
}

# The role that Sym's module has made is kept, and trusts the deployment from then on.
moved {
  from = aws_iam_role.this
  to   = module.connector.aws_iam_role.connector
}

# Strategies of Sym's name no identity store, so that it is looked up.
resource "aws_iam_role_policy" "instance" {
  name = "instance"
  role = module.connector.role_name

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Effect   = "Allow"
        Action   = ["sso:DescribeInstance"]
        Resource = [local.instance_arn]
      },
    ]
  })
}

# Identity Center makes its roles in the management account by the rights of whoever
# assigns there.
resource "aws_iam_role_policy" "account" {
  count = var.sso_account_assignment_enabled ? 1 : 0

  name = "account"
  role = module.connector.role_name

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Effect   = "Allow"
        Action   = ["iam:GetSAMLProvider", "iam:UpdateSAMLProvider"]
        Resource = ["arn:${local.partition}:iam::${local.account}:saml-provider/AWSSSO_*"]
      },
      {
        Effect   = "Allow"
        Action   = ["iam:CreateRole", "iam:GetRole", "iam:ListAttachedRolePolicies", "iam:ListRolePolicies", "iam:UpdateRole"]
        Resource = ["arn:${local.partition}:iam::${local.account}:role/aws-reserved/sso.amazonaws.com/*"]
      },
    ]
  })
}
