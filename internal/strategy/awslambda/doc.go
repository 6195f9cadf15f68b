// Package awslambda is the strategy "aws_lambda": a customer's Lambda function
// grants and removes access. Its contract is Sym's; strategy/contract.go has
// the rules.
package awslambda
