// Package awslambda declares the strategy "aws_lambda": a customer's Lambda
// function grants and removes access. Its contract is Sym's; strategy/contract.go
// has the rules, and the package client keeps to them.
package awslambda
