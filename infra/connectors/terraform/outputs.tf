output "role_arn" {
  description = "Setting role_arn of the integration (kind: integration, type: permission_context)"
  value       = aws_iam_role.connector.arn
}

output "role_name" {
  description = "The role's name, by which policies are attached to it"
  value       = aws_iam_role.connector.name
}

output "settings" {
  description = "The integration's settings as they are pasted"
  value       = "{cloud: aws, role_arn: \"${aws_iam_role.connector.arn}\", external_id: \"${var.external_id}\", account_id: \"${local.account}\", region: ${data.aws_region.current.name}}"
}
