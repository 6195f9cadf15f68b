variable "access_role_arn" {
  description = "Output AccessRoleArn of the deployment. Nobody but it, and drift_role_arn, may assume the role."
  type        = string

  validation {
    condition     = can(regex("^arn:aws[a-z-]*:iam::[0-9]{12}:role/.+$", var.access_role_arn))
    error_message = "Must be the ARN of a role."
  }
}

variable "drift_role_arn" {
  description = "Output DriftRoleArn of the deployment, which looks for access that lingers; null: it does not look here."
  type        = string
  default     = null

  validation {
    condition     = var.drift_role_arn == null || can(regex("^arn:aws[a-z-]*:iam::[0-9]{12}:role/.+$", var.drift_role_arn))
    error_message = "Must be the ARN of a role."
  }
}

variable "former_role_arns" {
  description = "Roles that the deployment had before an upgrade, to be trusted as well while that goes on."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for arn in var.former_role_arns : can(regex("^arn:aws[a-z-]*:iam::[0-9]{12}:role/.+$", arn))])
    error_message = "Must be ARNs of roles."
  }
}

variable "external_id" {
  description = "A text of your choice that is the same in the integration's settings."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9+=,.@:/_-]{16,}$", var.external_id))
    error_message = "Must be 16 or more letters, digits and +=,.@:/_-"
  }
}

variable "role_name" {
  description = "Name of the role, whose path is /sym/."
  type        = string
  default     = "sym-connector"
}

variable "tags" {
  description = "Tags of the role."
  type        = map(string)
  default     = {}
}

variable "aws_iam" {
  description = "For strategies of type aws_iam: the ARNs of the groups, with their paths, and whether the strategy has an identity_tag."
  type = object({
    group_arns   = list(string)
    identity_tag = optional(bool, false)
  })
  default = null
}

variable "aws_sso" {
  description = "For strategies of type aws_sso: the instance, its identity store, and what may be given: permission sets on accounts, and groups by id."
  type = object({
    instance_arn        = string
    identity_store_id   = string
    permission_set_arns = optional(list(string), [])
    account_ids         = optional(list(string), [])
    group_ids           = optional(list(string), [])
  })
  default = null
}

variable "aws_account_access" {
  description = "For strategies of type aws_account_access: the application, and the identity store of its people."
  type = object({
    application_arn   = string
    identity_store_id = string
  })
  default = null
}

variable "postgres" {
  description = "For strategies of type postgres that act by the RDS Data API: the ARNs of the clusters, and of the secrets with the logins."
  type = object({
    cluster_arns = list(string)
    secret_arns  = list(string)
  })
  default = null
}

variable "aws_lambda" {
  description = "For strategies of type aws_lambda: the ARNs of the functions that grant and remove access."
  type        = object({ function_arns = list(string) })
  default     = null
}

variable "aws_eks" {
  description = "For strategies of type aws_eks: the clusters of a region, and the access policies that may be given in them."
  type = object({
    region        = string
    cluster_names = list(string)
    policy_arns   = list(string)
  })
  default = null
}
