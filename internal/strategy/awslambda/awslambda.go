package awslambda

import (
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/strategy"
)

// SettingARN is the target's setting that names its function.
const SettingARN = "arn"

// Type is the strategy's type. Its targets name a function each.
func Type() strategy.Type {
	return strategy.Type{
		Name: "aws_lambda", About: "a Lambda function of yours, and waits for its answer",
		Integration: strategy.AWSIntegration(),
		Settings:    strategy.Settings{Known: []strategy.Setting{strategy.Counted()}},
		Targets: []strategy.TargetType{{
			Name: "aws_lambda_function",
			Settings: strategy.Settings{
				Known: []strategy.Setting{
					{Name: SettingARN, About: "the ARN of the function that grants this target", Required: true, Check: flow.CheckFunctionARN},
					strategy.Counted(),
				},
				Others: "what the function is to know",
			},
		}},
		Rules:  strategy.CheckAWSAccount,
		Rights: rights,
	}
}

func rights(s flow.Strategy) strategy.Rights {
	var functions []string
	for _, t := range s.Targets {
		if arn := t.Settings[SettingARN]; arn != "" {
			functions = append(functions, arn)
		}
	}
	return strategy.AccountOf(s).Rights(strategy.InvokeFunctions(functions...).Allow...)
}

// Entitlements says what a target means for an identity.
func Entitlements(s flow.Strategy, target flow.Target, identity, runID string) ([]flow.Entitlement, error) {
	return strategy.ContractEntitlements(s, target.Settings[SettingARN], target, identity, runID)
}
