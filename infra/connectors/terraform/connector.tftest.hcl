# terraform test evaluates the module without an account.

mock_provider "aws" {
  mock_data "aws_caller_identity" { defaults = { account_id = "123456789012" } }
  mock_data "aws_partition" { defaults = { partition = "aws" } }
  mock_data "aws_region" { defaults = { name = "us-east-1" } }
  mock_resource "aws_iam_role" { defaults = { arn = "arn:aws:iam::123456789012:role/sym/sym-connector" } }
}
variables {
  access_role_arn = "arn:aws:iam::123456789012:role/sym-flows-us-east-1-access"
  external_id     = "0123456789abcdef"
}
run "nothing" {
  command = plan
  assert {
    condition     = length(aws_iam_role_policy.strategy) == 0
    error_message = "nothing is named, and something is allowed"
  }
}
run "everything" {
  command = plan
  variables {
    drift_role_arn     = "arn:aws:iam::123456789012:role/sym-flows-us-east-1-drift"
    aws_iam            = { group_arns = ["arn:aws:iam::123456789012:group/ops"], identity_tag = true }
    aws_sso            = { instance_arn = "arn:aws:sso:::instance/ssoins-1234567890abcdef", identity_store_id = "d-1234567890", permission_set_arns = ["arn:aws:sso:::permissionSet/ssoins-1234567890abcdef/ps-1234567890abcdef"], account_ids = ["123456789012"], group_ids = ["a1b2c3d4e5-11111111-2222-3333-4444-555555555555"] }
    aws_account_access = { application_arn = "arn:aws:account-access:us-east-1:123456789012:application/app-1234", identity_store_id = "d-1234567890" }
    aws_eks            = { region = "us-east-1", cluster_names = ["main"], policy_arns = ["arn:aws:eks::aws:cluster-access-policy/AmazonEKSViewPolicy"] }
    aws_lambda         = { function_arns = ["arn:aws:lambda:us-east-1:123456789012:function:grants"] }
    postgres           = { cluster_arns = ["arn:aws:rds:us-east-1:123456789012:cluster:orders"], secret_arns = ["arn:aws:secretsmanager:us-east-1:123456789012:secret:sym/orders-AbCdEf"] }
  }
  assert {
    condition     = length(aws_iam_role_policy.strategy) == 6 && length(jsondecode(aws_iam_role_policy.strategy["aws_eks"].policy).Statement) == 3
    error_message = jsonencode(aws_iam_role_policy.strategy)
  }
}
