// Package awseks declares the strategy "aws_eks": it lets roles and users of IAM
// into clusters of EKS, by access policies, and takes that away again. The package
// client does it.
package awseks
