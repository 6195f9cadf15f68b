# terraform test applies the module to a mock of AWS.

mock_provider "aws" {
  mock_data "aws_caller_identity" { defaults = { account_id = "123456789012" } }
  mock_data "aws_partition" { defaults = { partition = "aws" } }
  mock_data "aws_region" { defaults = { name = "us-east-1" } }
  mock_resource "aws_iam_role" { defaults = { arn = "arn:aws:iam::123456789012:role/sym/SymIAMMain" } }
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
    condition     = output.settings == { account_id = "123456789012", cloud = "aws", external_id = "0d6e1a3c-0c5d-4b7e-9a68-c3f5d0e70001", region = "us-east-1", role_arn = "arn:aws:iam::123456789012:role/sym/SymIAMMain" }
    error_message = jsonencode(output.settings)
  }
}
run "for_sym" {
  command = plan
  variables {
    runtime_role_arns = ["arn:aws:iam::803477428605:role/sym/SymRuntimeMain"]
  }
  expect_failures = [var.runtime_role_arns]
}
