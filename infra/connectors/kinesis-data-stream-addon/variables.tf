variable "environment" {
  description = "The environment that this is for, such as prod. It ends the names of what is made here."
  type        = string
}

variable "tags" {
  description = "Tags of what is made here."
  type        = map(string)
  default     = {}
}

variable "stream_arns" {
  description = "The ARNs of the streams."
  type        = list(string)

  validation {
    condition     = length(var.stream_arns) > 0
    error_message = "Must name a stream."
  }
}

variable "iam_role_name" {
  description = "The name of the role that the policy is attached to; \"\": it is attached to none."
  type        = string
  default     = ""
}
