variable "environment" {
  description = "The environment that this is for, such as prod. It ends the names of what is made here."
  type        = string
}

variable "sym_account_id" {
  description = "The account of the deployment; null: this one."
  type        = string
  default     = null

  validation {
    condition     = var.sym_account_id == null || can(regex("^[0-9]{12}$", var.sym_account_id)) && var.sym_account_id != "803477428605"
    error_message = "Must be the 12 digits of the deployment's account, and not Sym's own (803477428605): leave it out where the deployment is in this one."
  }
}

variable "account_id_safelist" {
  description = "Has no effect: what the deployment may assume is its option grants."
  type        = list(string)
  default     = []
}

variable "tags" {
  description = "Tags of what is made here."
  type        = map(string)
  default     = {}
}

variable "access_role_arn" {
  description = "Output AccessRoleArn of the deployment; null: the role of one that is named sym-flows, in the region of the provider and the account sym_account_id."
  type        = string
  default     = null

  validation {
    condition     = var.access_role_arn == null || can(regex("^arn:aws[a-z-]*:iam::[0-9]{12}:role/.+$", var.access_role_arn))
    error_message = "Must be the ARN of a role."
  }
}
