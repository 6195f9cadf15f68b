package main

import (
	"github.com/aws/aws-cdk-go/awscdk/v2/awsstepfunctions"
	"github.com/aws/jsii-runtime-go"

	"github.com/symflows/symflows/internal/runner/stepfn"
)

// addWorkflow makes the state machine of requests from flow.Steps.
func (d *deployment) addWorkflow() {
	arns := map[string]string{}
	for name, f := range d.functions {
		arns[name] = *f.AttrArn()
	}
	definition, err := stepfn.Definition(arns)
	if err != nil {
		panic(err) // flow.Steps names a function that does not exist
	}
	d.workflowLogs = d.logGroup("WorkflowLogs", "/aws/vendedlogs/states/"+d.options.name)
	role := d.role("WorkflowRole", d.roleName("workflow"), "states.amazonaws.com", only(d.machineARN()), []right{
		{actions: []string{"lambda:InvokeFunction"}, resources: []string{d.functionARN("approval"), d.functionARN(accessFunction)}},
		deliverLogs, trace, sample,
	})
	machine := awsstepfunctions.NewCfnStateMachine(d.stack, jsii.String("Workflow"), &awsstepfunctions.CfnStateMachineProps{
		StateMachineName: jsii.String(d.options.name),
		StateMachineType: jsii.String("STANDARD"),
		DefinitionString: jsii.String(string(definition)),
		RoleArn:          role.AttrArn(),
		LoggingConfiguration: &awsstepfunctions.CfnStateMachine_LoggingConfigurationProperty{
			// Runs have a history of their own, so the log is for what went wrong:
			// all of it would be 20 KB a run.
			Level: jsii.String("ERROR"),
			// Inputs hold task tokens, with which readers of the log could wake executions.
			IncludeExecutionData: jsii.Bool(false),
			Destinations: []any{&awsstepfunctions.CfnStateMachine_LogDestinationProperty{
				CloudWatchLogsLogGroup: &awsstepfunctions.CfnStateMachine_CloudWatchLogsLogGroupProperty{LogGroupArn: d.workflowLogs.AttrArn()},
			}},
		},
		TracingConfiguration: &awsstepfunctions.CfnStateMachine_TracingConfigurationProperty{Enabled: jsii.Bool(d.options.tracing != traceNothing)},
	})
	if d.options.tracing == traceNothing {
		suppress(machine, "AwsSolutions-SF2", "The option tracing has it off, where traces are not wanted or nobody looks at them")
	}
	suppress(machine, "AwsSolutions-SF1", "Errors are logged; what went well is kept with the run, in the audit records and in the execution's own history for 90 days")
}
