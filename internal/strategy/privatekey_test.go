package strategy

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/symflows/symflows/internal/flow"
)

func TestPrivateKey(t *testing.T) {
	t.Parallel()
	const arn = "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
	secret := map[string]flow.SecretRef{SettingPrivateKey: {Name: "key"}}
	kms := map[string]string{SettingPrivateKeyKMS: arn}
	sign := Rights{Allow: []Allow{{Actions: []string{"kms:Sign"}, Resources: []string{arn}, When: map[string][]string{"kms:SigningAlgorithm": {"RSASSA_PKCS1_V1_5_SHA_256"}}}}}
	for _, test := range []struct {
		name   string
		i      *flow.Integration
		has    bool
		faults int
		rights Rights
	}{
		{name: "NoIntegration"},
		{name: "None", i: &flow.Integration{}},
		{name: "Secret", i: &flow.Integration{Secrets: secret}, has: true},
		{name: "KMS", i: &flow.Integration{Settings: kms}, has: true, rights: sign},
		{name: "Both", i: &flow.Integration{Settings: kms, Secrets: secret}, has: true, faults: 1, rights: sign},
		{name: "Faulty", i: &flow.Integration{Settings: map[string]string{SettingPrivateKeyKMS: "alias/okta"}}, has: true},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if got := HasPrivateKey(test.i); got != test.has {
				t.Errorf("has one: %t, want %t", got, test.has)
			}
			if got := CheckPrivateKey(flow.Strategy{Integration: test.i}); len(got) != test.faults {
				t.Errorf("faults: %v", got)
			}
			if diff := cmp.Diff(test.rights, PrivateKeyRights(test.i)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
	check := PrivateKey("as the vendor gave it")[1].Check
	for text, right := range map[string]bool{
		arn: true, "arn:aws-us-gov:kms:us-gov-west-1:123456789012:key/mrk-1234abcd": true,
		"alias/okta": false, "arn:aws:kms:eu-west-1:123456789012:alias/okta": false, "1234abcd-12ab-34cd-56ef-1234567890ab": false,
	} {
		if err := check(text); (err == nil) != right {
			t.Errorf("%s: %v, want it right: %t", text, err, right)
		}
	}
}
