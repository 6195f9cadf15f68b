output "settings" {
  description = "Settings of the integration of type permission_context"
  value = {
    cloud       = "aws"
    region      = data.aws_region.current.name
    role_arn    = module.connector.role_arn
    account_id  = data.aws_caller_identity.current.account_id
    external_id = random_uuid.external_id.result
  }
}
