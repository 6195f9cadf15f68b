package clients_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/symflows/symflows/internal/destination"
	"github.com/symflows/symflows/internal/destination/clients"
	"github.com/symflows/symflows/internal/flow"
)

// TestOpen: whatever may be configured is opened, and nothing else.
func TestOpen(t *testing.T) {
	t.Parallel()
	open := clients.Open(clients.Deps{AWS: func() (aws.Config, error) { return aws.Config{Region: "us-east-1"}, nil }})
	for name := range destination.Types() {
		d, err := open(flow.LogDestination{
			Name: "to", Type: name, Integration: &flow.Integration{}, Settings: map[string]string{destination.SettingURL: "https://logs.example.com"},
		})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if l := d.Limits(); l.Records < 1 || l.Lanes < 1 || l.Records > 1 && l.Bytes < 64<<10 {
			t.Errorf("%s takes %+v", name, l)
		}
	}
	if _, err := open(flow.LogDestination{Name: "to", Type: "smtp"}); flow.CodeOf(err) != flow.CodeStrategy {
		t.Errorf("of no type: %v", err)
	}
}
