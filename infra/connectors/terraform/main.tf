# The role by which Sym Flows grants and removes access in this account. It may do
# what the variables name, and nothing else.

terraform {
  required_version = ">= 1.3"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.0"
    }
  }
}

data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}
data "aws_region" "current" {}

locals {
  account   = data.aws_caller_identity.current.account_id
  partition = data.aws_partition.current.partition

  trusted = distinct(concat([for arn in [var.access_role_arn, var.drift_role_arn] : arn if arn != null], var.former_role_arns))

  sso_people = var.aws_sso == null ? [] : [
    "arn:${local.partition}:identitystore::${local.account}:identitystore/${var.aws_sso.identity_store_id}",
    "arn:${local.partition}:identitystore:::user/*",
  ]
  account_access_people = var.aws_account_access == null ? [] : [
    "arn:${local.partition}:identitystore::${local.account}:identitystore/${var.aws_account_access.identity_store_id}",
    "arn:${local.partition}:identitystore:::user/*",
  ]
  memberships = [
    "arn:${local.partition}:identitystore:::group/*",
    "arn:${local.partition}:identitystore:::membership/*",
  ]

  eks          = var.aws_eks == null ? { region = "", cluster_names = [], policy_arns = [] } : var.aws_eks
  eks_clusters = [for name in local.eks.cluster_names : "arn:${local.partition}:eks:${local.eks.region}:${local.account}:cluster/${name}"]
  eks_entries  = [for name in local.eks.cluster_names : "arn:${local.partition}:eks:${local.eks.region}:${local.account}:access-entry/${name}/*"]

  # Statements by strategy: what each strategy's type asks for, on what the variables
  # name.
  statements = {
    aws_iam = var.aws_iam == null ? [] : concat(
      [
        {
          Effect   = "Allow"
          Action   = ["iam:AddUserToGroup", "iam:GetGroup", "iam:RemoveUserFromGroup"]
          Resource = var.aws_iam.group_arns
        },
        {
          Effect   = "Allow"
          Action   = ["iam:GetUser", "iam:ListGroupsForUser"]
          Resource = ["arn:${local.partition}:iam::${local.account}:user/*"]
        },
      ],
      var.aws_iam.identity_tag ? [
        {
          Effect   = "Allow"
          Action   = ["iam:GetAccountAuthorizationDetails"]
          Resource = ["*"]
        },
      ] : [],
    )

    aws_sso = var.aws_sso == null ? [] : concat(
      [
        {
          Effect   = "Allow"
          Action   = ["identitystore:DescribeUser", "identitystore:GetUserId"]
          Resource = local.sso_people
        },
      ],
      length(var.aws_sso.group_ids) == 0 ? [] : [
        {
          Effect = "Allow"
          Action = [
            "identitystore:CreateGroupMembership",
            "identitystore:DeleteGroupMembership",
            "identitystore:GetGroupMembershipId",
            "identitystore:IsMemberInGroups",
            "identitystore:ListGroupMemberships",
          ]
          Resource = concat(
            local.sso_people,
            ["arn:${local.partition}:identitystore:::membership/*"],
            [for id in var.aws_sso.group_ids : "arn:${local.partition}:identitystore:::group/${id}"],
          )
        },
      ],
      length(var.aws_sso.permission_set_arns) == 0 ? [] : [
        {
          Effect = "Allow"
          Action = ["sso:CreateAccountAssignment", "sso:DeleteAccountAssignment", "sso:ListAccountAssignments"]
          Resource = concat(
            [var.aws_sso.instance_arn],
            var.aws_sso.permission_set_arns,
            [for id in var.aws_sso.account_ids : "arn:${local.partition}:sso:::account/${id}"],
          )
        },
        {
          Effect   = "Allow"
          Action   = ["sso:DescribePermissionSet"]
          Resource = concat([var.aws_sso.instance_arn], var.aws_sso.permission_set_arns)
        },
        {
          Effect = "Allow"
          Action = [
            "sso:DescribeAccountAssignmentCreationStatus",
            "sso:DescribeAccountAssignmentDeletionStatus",
            "sso:ListAccountAssignmentCreationStatus",
            "sso:ListAccountAssignmentDeletionStatus",
          ]
          Resource = [var.aws_sso.instance_arn]
        },
        # By which groups else somebody has a permission set.
        {
          Effect   = "Allow"
          Action   = ["identitystore:DescribeGroup", "identitystore:IsMemberInGroups"]
          Resource = concat(local.sso_people, local.memberships)
        },
      ],
    )

    aws_account_access = var.aws_account_access == null ? [] : [
      {
        Effect   = "Allow"
        Action   = ["identitystore:DescribeUser", "identitystore:GetUserId"]
        Resource = local.account_access_people
      },
      {
        Effect   = "Allow"
        Action   = ["account-access:CreateEntitlement", "account-access:DeleteEntitlement", "account-access:ListEntitlements"]
        Resource = [var.aws_account_access.application_arn]
      },
      # By which groups else somebody has a role.
      {
        Effect   = "Allow"
        Action   = ["identitystore:DescribeGroup", "identitystore:IsMemberInGroups"]
        Resource = concat(local.account_access_people, local.memberships)
      },
    ]

    aws_eks = [for statement in [
      {
        Effect   = "Allow"
        Action   = ["eks:CreateAccessEntry", "eks:DescribeCluster", "eks:ListAccessEntries"]
        Resource = local.eks_clusters
      },
      {
        Effect = "Allow"
        Action = [
          "eks:DeleteAccessEntry",
          "eks:DescribeAccessEntry",
          "eks:DisassociateAccessPolicy",
          "eks:ListAssociatedAccessPolicies",
          "eks:TagResource",
        ]
        Resource = local.eks_entries
      },
      {
        Effect    = "Allow"
        Action    = ["eks:AssociateAccessPolicy"]
        Resource  = local.eks_entries
        Condition = { StringEquals = { "eks:policyArn" = local.eks.policy_arns } }
      },
    ] : statement if var.aws_eks != null]

    aws_lambda = var.aws_lambda == null ? [] : [
      {
        Effect   = "Allow"
        Action   = ["lambda:InvokeFunction"]
        Resource = var.aws_lambda.function_arns
      },
    ]

    postgres = var.postgres == null ? [] : [
      {
        Effect   = "Allow"
        Action   = ["rds-data:ExecuteStatement"]
        Resource = var.postgres.cluster_arns
      },
      # Which the Data API reads in the name of whoever calls it.
      {
        Effect   = "Allow"
        Action   = ["secretsmanager:GetSecretValue"]
        Resource = var.postgres.secret_arns
      },
    ]
  }
}

resource "aws_iam_role" "connector" {
  name        = var.role_name
  path        = "/sym/"
  description = "Lets Sym Flows grant and remove access here"
  tags        = var.tags

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Effect = "Allow"
        Action = "sts:AssumeRole"
        # The account, limited to the roles by their names: IAM refuses a principal that
        # is not there yet, and forgets one that is made anew.
        Principal = { AWS = "arn:${local.partition}:iam::${split(":", var.access_role_arn)[4]}:root" }
        Condition = {
          StringEquals = { "sts:ExternalId" = var.external_id }
          ArnEquals    = { "aws:PrincipalArn" = local.trusted }
        }
      },
    ]
  })
}

resource "aws_iam_role_policy" "strategy" {
  for_each = { for type, statements in local.statements : type => statements if length(statements) > 0 }

  name = each.key
  role = aws_iam_role.connector.id

  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = each.value
  })
}
