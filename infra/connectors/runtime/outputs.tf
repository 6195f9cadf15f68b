output "sym_runtime_connector_role" {
  description = "The role, a resource of type aws_iam_role"
  value       = aws_iam_role.sym_runtime_connector_role
}

output "sym_integration" {
  description = "The integration that names the role, a resource of type sym_integration"
  value       = sym_integration.runtime_context
}

output "sym_runtime" {
  description = "The runtime that an environment names, a resource of type sym_runtime"
  value       = sym_runtime.this
}
