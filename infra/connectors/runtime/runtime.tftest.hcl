# terraform test applies the module to a mock of AWS.

mock_provider "aws" {
  mock_data "aws_caller_identity" { defaults = { account_id = "123456789012" } }
  mock_data "aws_partition" { defaults = { partition = "aws" } }
  mock_data "aws_region" { defaults = { name = "us-east-1" } }
  mock_resource "aws_iam_role" { defaults = { arn = "arn:aws:iam::123456789012:role/sym/SymRuntimeMain" } }
}
mock_provider "random" {
  mock_resource "random_uuid" { defaults = { result = "0d6e1a3c-0c5d-4b7e-9a68-c3f5d0e70001" } }
}
mock_provider "sym" {}
variables {
  environment = "main"
}
run "applied" {
  assert {
    condition     = output.sym_runtime_connector_role.arn == "arn:aws:iam::123456789012:role/sym/SymRuntimeMain"
    error_message = jsonencode(output.sym_runtime_connector_role)
  }
  assert {
    condition     = jsondecode(aws_iam_role.sym_runtime_connector_role.assume_role_policy).Statement[0].Condition.ArnEquals["aws:PrincipalArn"] == [for function in ["access", "deliver", "drift"] : "arn:aws:iam::123456789012:role/sym-flows-us-east-1-${function}"]
    error_message = aws_iam_role.sym_runtime_connector_role.assume_role_policy
  }
  assert {
    condition     = output.sym_runtime.context_id == output.sym_integration.id
    error_message = jsonencode(output.sym_runtime)
  }
}
run "for_sym" {
  command = plan
  variables {
    sym_account_id = "803477428605"
  }
  expect_failures = [var.sym_account_id]
}
