variable "environment" {
  description = "The environment that this is for, such as prod. It ends the names of what is made here."
  type        = string
}

variable "group_config" {
  description = "The groups that people are put into, by path and name; * stands for any part of either."
  type        = list(object({ path = string, name = string }))
  default     = [{ path = "/sym/", name = "*" }]

  validation {
    condition     = alltrue([for group in var.group_config : can(regex("^/(.+/)?$", group.path))])
    error_message = "A path must begin and end with a slash."
  }
}

variable "runtime_role_arns" {
  description = "The ARN of the runtime's role. It tells the account of the deployment, whose roles are trusted."
  type        = list(string)

  validation {
    condition     = length(var.runtime_role_arns) > 0 && alltrue([for arn in var.runtime_role_arns : can(regex("^arn:aws[a-z-]*:iam::[0-9]{12}:role/.+$", arn)) && !can(regex("::803477428605:", arn))])
    error_message = "Must be ARNs of roles, the first of them of the deployment's account, and none of Sym's own account (803477428605)."
  }
}

variable "tags" {
  description = "Tags of what is made here."
  type        = map(string)
  default     = {}
}

variable "access_role_arn" {
  description = "Output AccessRoleArn of the deployment; null: the role of one that is named sym-flows, in the region of the provider and the account that runtime_role_arns tells."
  type        = string
  default     = null

  validation {
    condition     = var.access_role_arn == null || can(regex("^arn:aws[a-z-]*:iam::[0-9]{12}:role/.+$", var.access_role_arn))
    error_message = "Must be the ARN of a role."
  }
}
