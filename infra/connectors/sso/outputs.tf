output "settings" {
  description = "Settings of the integration of type permission_context"
  value = {
    cloud        = "aws"
    instance_arn = local.instance_arn
    region       = data.aws_region.current.name
    role_arn     = module.connector.role_arn
    external_id  = random_uuid.external_id.result
  }
}
