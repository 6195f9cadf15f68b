# Lets the runtime's role take records to streams of Kinesis, for log destinations of type
# kinesis_data_stream, with the variables and outputs of Sym's kinesis-data-stream-addon.

resource "aws_iam_policy" "this" {
  name        = "SymKinesisDataStream${title(var.environment)}"
  path        = "/sym/"
  description = "Lets Sym Flows send audit records to streams of Kinesis"
  tags        = var.tags

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Effect   = "Allow"
        Action   = ["kinesis:PutRecords"]
        Resource = var.stream_arns
      },
    ]
  })
}

resource "aws_iam_role_policy_attachment" "attach_secrets_manager_access" {
  count = var.iam_role_name == "" ? 0 : 1

  policy_arn = aws_iam_policy.this.arn
  role       = var.iam_role_name
}
