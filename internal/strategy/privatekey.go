package strategy

import (
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/pattern"
)

// The settings of integrations whose app signs in by a private key of its own: see
// package appkey.
const (
	SettingPrivateKey    = "private_key_secret"
	SettingPrivateKeyKMS = "private_key_kms_arn"
)

var kmsKey = pattern.Of(`^arn:aws[a-z-]*:kms:[a-z]+(-[a-z]+)+-[0-9]+:[0-9]+:key/[A-Za-z0-9-]+$`)

// PrivateKey declares them. source says where the key is from: "as Okta gave it".
func PrivateKey(source string) []Setting {
	return []Setting{
		{Name: SettingPrivateKey, About: "the name of the secret with the app's private key, " + source + " (RSA, PEM)"},
		{Name: SettingPrivateKeyKMS, About: "the ARN of the key of AWS KMS that is the app's private key, in place of a secret: an RSA key for signing", Check: Form(kmsKey, "the ARN of a key, like arn:aws:kms:us-east-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab, and not of an alias")},
	}
}

// HasPrivateKey tells whether an integration names a private key.
func HasPrivateKey(i *flow.Integration) bool {
	if i == nil {
		return false
	}
	_, secret := i.Secrets[SettingPrivateKey]
	return secret || i.Settings[SettingPrivateKeyKMS] != ""
}

// CheckPrivateKey finds whether an integration names two private keys. It is for
// [Type.Rules].
func CheckPrivateKey(s flow.Strategy) []flow.Fault {
	if s.Integration == nil {
		return nil
	}
	if _, secret := s.Integration.Secrets[SettingPrivateKey]; secret && s.Integration.Settings[SettingPrivateKeyKMS] != "" {
		return []flow.Fault{{Path: "integration.settings." + SettingPrivateKeyKMS, Message: "is there beside " + SettingPrivateKey + ": name one key"}}
	}
	return nil
}

// PrivateKeyRights is the right to sign with the key of an integration in AWS KMS,
// by the one algorithm that is used; none where there is no such key.
func PrivateKeyRights(i *flow.Integration) Rights {
	if i == nil || !kmsKey.MatchString(i.Settings[SettingPrivateKeyKMS]) {
		return Rights{}
	}
	return Rights{Allow: []Allow{{
		Actions: []string{"kms:Sign"}, Resources: []string{i.Settings[SettingPrivateKeyKMS]},
		When: map[string][]string{"kms:SigningAlgorithm": {"RSASSA_PKCS1_V1_5_SHA_256"}},
	}}}
}
