package tailscalefake_test

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"tailscale.com/client/tailscale/v2"

	"github.com/symflows/symflows/internal/strategy/tailscale/tailscalefake"
)

// TestWire: Tailscale's own client finds in the fake what it finds at Tailscale, by
// each of its ways to sign in.
func TestWire(t *testing.T) {
	t.Parallel()
	fake := tailscalefake.WithPeople()
	server := httptest.NewServer(fake)
	t.Cleanup(server.Close)
	base, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	// The client takes no word that its machine's clock finds to be over.
	word := "e30." + base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, `{"exp": %d}`, time.Now().Add(time.Hour).Unix())) + ".c2ln"
	fake.Trust(func(got, audience string) (string, error) {
		if got != word || audience != "api.tailscale.com/"+tailscalefake.IdentityID {
			return "", errors.New("not this one")
		}
		return tailscalefake.RoleARN, nil
	})
	for name, c := range map[string]*tailscale.Client{
		"Token":     {APIKey: tailscalefake.Token},
		"Client":    {Auth: &tailscale.OAuth{ClientID: tailscalefake.ClientID, ClientSecret: tailscalefake.ClientSecret, Scopes: []string{"policy_file", "users:read", "feature_settings:read", "devices:core:read", "devices:posture_attributes"}}},
		"Federated": {Auth: &tailscale.IdentityFederation{ClientID: tailscalefake.IdentityID, IDTokenFunc: func() (string, error) { return word, nil }}},
	} {
		t.Run(name, func(t *testing.T) {
			c.BaseURL, c.Tailnet, c.HTTP = base, tailscalefake.Tailnet, server.Client()
			speak(t, fake, c)
		})
	}
}

func speak(t *testing.T, fake *tailscalefake.Fake, c *tailscale.Client) {
	t.Helper()
	ctx := t.Context()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	status := func(err error) int {
		var refused tailscale.APIError
		errors.As(err, &refused)
		return refused.Status
	}

	raw, err := c.PolicyFile().Raw(ctx)
	must(err)
	if raw.HuJSON != fake.Policy() || raw.ETag == "" {
		t.Errorf("the policy file has version %q, and is another than the fake's", raw.ETag)
	}
	must(c.PolicyFile().Validate(ctx, raw.HuJSON))
	shut := strings.Replace(raw.HuJSON, `"group:prod": [`, `"group:prod": ["mallory@example.com",`, 1)
	if err := c.PolicyFile().Validate(ctx, shut); err == nil || !strings.Contains(err.Error(), "test(s) failed") {
		t.Errorf("a file whose tests fail: %v", err)
	}
	if err := c.PolicyFile().Set(ctx, shut, raw.ETag); len(tailscale.ErrorData(err)) != 1 || tailscale.ErrorData(err)[0].User != "mallory@example.com" {
		t.Errorf("setting it: %v", err)
	}
	if err := c.PolicyFile().Set(ctx, raw.HuJSON, "0123"); status(err) != http.StatusPreconditionFailed {
		t.Errorf("setting a file of another version: %v", err)
	}
	must(c.PolicyFile().Set(ctx, raw.HuJSON, raw.ETag))

	settings, err := c.TailnetSettings().Get(ctx)
	must(err)
	if settings.ACLsExternallyManagedOn {
		t.Error("the file is kept elsewhere")
	}
	users, err := c.Users().List(ctx, nil, nil)
	must(err)
	if len(users) == 0 || users[0].LoginName != "alice@example.com" || users[0].Status != tailscale.UserStatusActive || users[0].Type != tailscale.UserTypeMember {
		t.Errorf("users %+v", users)
	}
	devices, err := c.Devices().List(ctx)
	must(err)
	if len(devices) == 0 || devices[0].NodeID != "na1CNTRL" || devices[0].User != "alice@example.com" {
		t.Fatalf("devices %+v", devices)
	}
	id, until := devices[0].NodeID, fake.Now().Add(time.Hour).UTC()
	must(c.Devices().SetPostureAttribute(ctx, id, "custom:prodAccess", tailscale.DevicePostureAttributeRequest{Value: true, Expiry: tailscale.Time{Time: until}, Comment: "a test"}))
	got, err := c.Devices().GetPostureAttributes(ctx, id)
	must(err)
	if got.Attributes["custom:prodAccess"] != true || !got.Expiries["custom:prodAccess"].Equal(until) {
		t.Errorf("attributes %+v", got)
	}
	if err := c.Devices().SetPostureAttribute(ctx, id, "node:os", tailscale.DevicePostureAttributeRequest{Value: "linux"}); status(err) != http.StatusBadRequest {
		t.Errorf("setting what is Tailscale's: %v", err)
	}
	must(c.Devices().DeletePostureAttribute(ctx, id, "custom:prodAccess"))
}
