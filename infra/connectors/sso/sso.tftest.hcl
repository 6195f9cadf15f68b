# terraform test applies the module to a mock of AWS.

mock_provider "aws" {
  mock_data "aws_caller_identity" { defaults = { account_id = "123456789012" } }
  mock_data "aws_partition" { defaults = { partition = "aws" } }
  mock_data "aws_region" { defaults = { name = "us-east-1" } }
  mock_data "aws_ssoadmin_instances" {
    defaults = {
      arns               = ["arn:aws:sso:::instance/ssoins-1234567890abcdef"]
      identity_store_ids = ["d-1234567890"]
    }
  }
  mock_resource "aws_iam_role" { defaults = { arn = "arn:aws:iam::123456789012:role/sym/SymSSOMain" } }
}
mock_provider "random" {
  mock_resource "random_uuid" { defaults = { result = "0d6e1a3c-0c5d-4b7e-9a68-c3f5d0e70001" } }
}
variables {
  environment       = "main"
  runtime_role_arns = ["arn:aws:iam::210987654321:role/sym/SymRuntimeMain"]
}
run "applied" {
  assert {
    condition     = output.settings == { cloud = "aws", external_id = "0d6e1a3c-0c5d-4b7e-9a68-c3f5d0e70001", instance_arn = "arn:aws:sso:::instance/ssoins-1234567890abcdef", region = "us-east-1", role_arn = "arn:aws:iam::123456789012:role/sym/SymSSOMain" }
    error_message = jsonencode(output.settings)
  }
  assert {
    condition     = length(aws_iam_role_policy.account) == 1
    error_message = "permission sets can't be given on the account of the instance"
  }
}
run "for_sym" {
  command = plan
  variables {
    runtime_role_arns = ["arn:aws:iam::803477428605:role/sym/SymRuntimeMain"]
  }
  expect_failures = [var.runtime_role_arns]
}
