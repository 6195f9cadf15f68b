# Lets the runtime's role take records to streams of Firehose that are tagged, for log
# destinations of type kinesis_firehose, with the variables and outputs of Sym's
# kinesis-firehose-addon.

resource "aws_iam_policy" "this" {
  name        = "SymKinesisFirehose${title(var.environment)}"
  path        = "/sym/"
  description = "Lets Sym Flows send audit records to streams of Firehose"
  tags        = var.tags

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Effect    = "Allow"
        Action    = ["firehose:PutRecordBatch"]
        Resource  = ["*"]
        Condition = { StringEquals = { "aws:ResourceTag/${var.tag_name}" = var.environment } }
      },
    ]
  })
}

resource "aws_iam_role_policy_attachment" "attach_firehose_access" {
  count = var.iam_role_name == "" ? 0 : 1

  policy_arn = aws_iam_policy.this.arn
  role       = var.iam_role_name
}
