variable "environment" {
  description = "The environment that this is for, such as prod. It ends the names of what is made here."
  type        = string
}

variable "tag_name" {
  description = "The tag whose value is the environment on what the policy is for."
  type        = string
  default     = "SymEnv"
}

variable "tags" {
  description = "Tags of what is made here."
  type        = map(string)
  default     = {}
}

variable "iam_role_name" {
  description = "The name of the role that the policy is attached to; \"\": it is attached to none."
  type        = string
  default     = ""
}
