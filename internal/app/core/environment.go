package core

import (
	"context"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
)

// AWS reads what Lambda sets for every function, its region and its credentials
// (https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html), and
// where AWS is instead of its usual addresses (AWS_ENDPOINT_URL and
// AWS_ENDPOINT_URL_<SERVICE>). The SDK's own package config looks in a dozen
// other places, with clients of its own that each start would wait for.
func AWS(getenv func(string) string) (aws.Config, error) {
	for _, name := range []string{"AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"} {
		if getenv(name) == "" {
			return aws.Config{}, fmt.Errorf("%s is not set: this program is for Lambda, which sets it", name)
		}
	}
	cfg := aws.Config{
		Region:        getenv("AWS_REGION"),
		Credentials:   credentials.NewStaticCredentialsProvider(getenv("AWS_ACCESS_KEY_ID"), getenv("AWS_SECRET_ACCESS_KEY"), getenv("AWS_SESSION_TOKEN")),
		ConfigSources: []any{endpoints(getenv)},
	}
	if url := getenv("AWS_ENDPOINT_URL"); url != "" {
		cfg.BaseEndpoint = &url
	}
	return cfg, nil
}

// endpoints is where the SDK's clients look for an address of their service
// alone.
type endpoints func(string) string

// GetServiceBaseEndpoint gives the address for an SDK id, such as "Secrets
// Manager" (https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html).
func (getenv endpoints) GetServiceBaseEndpoint(_ context.Context, sdkID string) (string, bool, error) {
	url := getenv("AWS_ENDPOINT_URL_" + strings.ToUpper(strings.ReplaceAll(sdkID, " ", "_")))
	return url, url != "", nil
}
