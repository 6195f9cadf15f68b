output "role_arn" {
  description = "Setting role_arn of the integration (kind: integration, type: permission_context)"
  value       = aws_iam_role.connector.arn
}

output "settings" {
  description = "The integration's settings as they are pasted"
  value       = "{cloud: aws, role_arn: \"${aws_iam_role.connector.arn}\", external_id: \"${var.external_id}\", account_id: \"${local.account}\", region: ${data.aws_region.current.name}}"
}
