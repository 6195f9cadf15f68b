output "policy_arn" {
  description = "The ARN of the policy"
  value       = aws_iam_policy.this.arn
}
