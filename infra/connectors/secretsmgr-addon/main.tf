# Has no effect but that it is there, with the variables and outputs of Sym's
# secretsmgr-addon: the deployment reads secrets by roles of its own, those that its option
# grants names. The policy, whose ARN is an output, lets nobody read a secret's value.

resource "aws_iam_policy" "this" {
  name        = "SymSecretsManager${title(var.environment)}"
  path        = "/sym/"
  description = "Lets Sym Flows see that secrets are there, and not what they are"
  tags        = var.tags

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Effect    = "Allow"
        Action    = ["secretsmanager:DescribeSecret"]
        Resource  = ["*"]
        Condition = { StringEquals = { "secretsmanager:ResourceTag/${var.tag_name}" = var.environment } }
      },
    ]
  })
}

resource "aws_iam_role_policy_attachment" "attach_secrets_manager_access" {
  count = var.iam_role_name == "" ? 0 : 1

  policy_arn = aws_iam_policy.this.arn
  role       = var.iam_role_name
}
