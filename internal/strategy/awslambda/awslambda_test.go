package awslambda_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/strategy"
	"github.com/symflows/symflows/internal/strategy/awslambda"
)

const (
	ordersARN  = "arn:aws:lambda:us-east-1:123456789012:function:orders"
	billingARN = "arn:aws:lambda:us-east-1:123456789012:function:billing"
)

func databases() flow.Strategy {
	return flow.Strategy{
		Name: "databases", Type: "aws_lambda",
		Targets: []flow.Target{
			{Name: "orders-db", Type: "aws_lambda_function", Label: "Orders", Settings: map[string]string{"arn": ordersARN}},
			{Name: "billing-db", Type: "aws_lambda_function", Label: "Billing", Settings: map[string]string{"arn": billingARN}},
		},
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	s := databases()
	s.Settings = map[string]string{"arn": ordersARN, "counted": "yes"}
	s.Targets[0].Settings = map[string]string{"counted": "maybe"}
	s.Targets[1].Settings = map[string]string{"arn": "billing"}
	s.Targets[1].FieldBindings = []string{"arn", "schema", "counted"}
	var paths []string
	for _, f := range awslambda.Type().Check(s) {
		paths = append(paths, f.Path)
	}
	want := []string{
		"settings.arn", "settings.counted",
		"targets.orders-db.settings.arn", "targets.orders-db.settings.counted",
		"targets.billing-db.settings.arn", "targets.billing-db.field_bindings", "targets.billing-db.field_bindings",
	}
	if diff := cmp.Diff(want, paths); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestRights(t *testing.T) {
	t.Parallel()
	s := databases()
	s.Targets = append(s.Targets, flow.Target{Name: "orders-replica", Settings: map[string]string{"arn": ordersARN}})
	want := strategy.Rights{Allow: []strategy.Allow{{Actions: []string{"lambda:InvokeFunction"}, Resources: []string{billingARN, ordersARN}}}}
	if diff := cmp.Diff(want, awslambda.Type().RightsOf(s)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// TestRights_Role: by the role of an integration, it is that role's right.
func TestRights_Role(t *testing.T) {
	t.Parallel()
	s := databases()
	const role = "arn:aws:iam::210987654321:role/sym/SymLambdaMain"
	s.Integration = &flow.Integration{Name: "lambda", Type: "permission_context", Settings: map[string]string{
		"cloud": "aws", "region": "us-east-1", "role_arn": role, "account_id": "210987654321", "external_id": "a-text-of-nobody-elses",
	}}
	if faults := awslambda.Type().Check(s); len(faults) > 0 {
		t.Errorf("faults: %+v", faults)
	}
	want := strategy.Rights{Assume: []strategy.Role{{ARN: role, ExternalID: "a-text-of-nobody-elses"}}}
	if diff := cmp.Diff(want, awslambda.Type().RightsOf(s)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	s.Integration.Settings["account_id"] = "123456789012"
	if faults := awslambda.Type().Check(s); len(faults) != 1 {
		t.Errorf("of another account: %+v", faults)
	}
}
