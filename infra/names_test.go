package main

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

// within are names that something has within another thing of the stack, or that say
// what of AWS's is meant: two deployments may have the same.
var within = map[string]bool{
	"AWS::ApiGatewayV2::Stage StageName": true, // of the API
	"AWS::CloudWatch::Alarm MetricName":  true, // with its dimensions, which TestNames looks at
	"AWS::CloudWatch::Alarm Name":        true,
	"AWS::IAM::Role Policies.PolicyName": true, // of the role
	"AWS::IAM::RolePolicy PolicyName":    true,
	"AWS::Logs::LogStream LogStreamName": true, // of the log group
	"AWS::DynamoDB::Table AttributeName": true, // of the table
	"AWS::DynamoDB::Table IndexName":     true,
	"AWS::SNS::Topic DisplayName":        true, // what mails are from
	"AWS::Lambda::Function LogFormat":    true,
}

// nameKey matches the properties by which resources are called.
var nameKey = regexp.MustCompile(`(Name|NamePrefix)$`)

// namesOf gives all that a template calls something by, and where: properties of
// resources, and what metrics are told apart by.
func namesOf(made template) map[string]string {
	found := map[string]string{}
	var walk func(kind, id, under string, v any)
	walk = func(kind, id, under string, v any) {
		switch v := v.(type) {
		case map[string]any:
			for key, one := range v {
				name := text(one)
				_, list := one.([]any)
				switch {
				case nameKey.MatchString(key) && !list && name != "" && !strings.HasPrefix(name, "${"):
					if !within[kind+" "+under+key] && !within[kind+" "+key] {
						found[kind+" "+key+" "+name] = id
					}
				default:
					walk(kind, id, key+".", one)
				}
			}
		case []any:
			for _, one := range v {
				walk(kind, id, under, one)
			}
		}
	}
	for id, r := range made.Resources {
		switch r.Type {
		case "AWS::CDK::Metadata", "Custom::Publish":
			continue
		case "AWS::Logs::MetricFilter":
			for _, m := range r.Properties["MetricTransformations"].([]any) {
				found[r.Type+" "+text(at(m, "MetricNamespace"))+" "+text(at(m, "MetricName"))] = id
			}
			continue
		case "AWS::CloudWatch::Dashboard":
			found[r.Type+" "+text(r.Properties["DashboardName"])] = id
			continue
		}
		walk(r.Type, id, "", r.Properties)
	}
	return found
}

// TestNames: two deployments in one account and region have nothing by the same name,
// nor do their metrics.
func TestNames(t *testing.T) {
	t.Parallel()
	one, err := encrypted()
	if err != nil {
		t.Fatal(err)
	}
	two := synthesize(t, map[string]any{"name": "sym-flows-test", "kmsKey": "create", "slackCommand": "/sym-test", "alarmEmail": "ops@example.com"})
	names, others := namesOf(one), namesOf(two)
	if len(names) < 70 {
		t.Errorf("only %d names were found", len(names))
	}
	for name, id := range names {
		if _, both := others[name]; both {
			t.Errorf("both have %s, of %s", name, id)
		}
	}
	for id, a := range one.ofType("AWS::CloudWatch::Alarm") {
		metrics := [][]any{}
		if dimensions, single := a.Properties["Dimensions"].([]any); single {
			metrics = append(metrics, dimensions)
		}
		queries, _ := a.Properties["Metrics"].([]any)
		for _, q := range queries {
			if dimensions, ok := at(q, "MetricStat", "Metric", "Dimensions").([]any); ok {
				metrics = append(metrics, dimensions)
			}
		}
		if len(metrics) == 0 {
			t.Errorf("%s looks at no metric", id)
		}
		for _, dimensions := range metrics {
			if strings.Contains(text(a.Properties["Namespace"]), "sym-flows") {
				continue // which tells them apart where there are no dimensions
			}
			if !slices.ContainsFunc(dimensions, func(d any) bool {
				value := text(at(d, "Value"))
				return strings.Contains(value, "sym-flows") || strings.HasPrefix(value, "${")
			}) {
				t.Errorf("%s looks at what other deployments count, too: %v", id, dimensions)
			}
		}
	}
	for _, want := range []string{
		"AWS::Lambda::Function FunctionName sym-flows-access", "AWS::IAM::Role RoleName sym-flows-${AWS::Region}-access", "AWS::Scheduler::ScheduleGroup Name sym-flows",
		"AWS::KMS::Alias AliasName alias/sym-flows", "AWS::StepFunctions::StateMachine StateMachineName sym-flows", "AWS::KinesisFirehose::DeliveryStream DeliveryStreamName sym-flows",
		"AWS::CloudWatch::Alarm AlarmName sym-flows-RemovalOverdue",
	} {
		if names[want] == "" {
			t.Errorf("there is no %s", want)
		}
	}
}
