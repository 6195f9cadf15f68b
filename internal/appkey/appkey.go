// Package appkey signs the JSON Web Tokens by which apps sign in to vendors with a
// private key of theirs (RFC 7523), where a vendor takes nothing better. The key is
// a PEM in a secret, or in AWS KMS, which it never leaves. A strategy that signs in
// so declares the settings and rights by [strategy.PrivateKey] and its like.
package appkey

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/golang-jwt/jwt/v5"

	"github.com/symflows/symflows/internal/aws/account"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/strategy"
)

// Keys signs with the keys that integrations name. Its methods are safe for
// concurrent use.
type Keys struct {
	Secrets strategy.Secrets // required for keys in secrets
	// Accounts says how AWS KMS is called: by rights of our own. It is asked when a
	// key of KMS is used first, and required for those.
	Accounts func() (*account.Accounts, error)
}

// Sign makes a token of the claims, signed RS256 by the private key that the
// integration names. id is the key's, by which the vendor finds it ("kid"); "" if it
// knows the app's key without. Times among the claims are Unix seconds. The error
// has flow.CodeStrategy if the key is of no use, and flow.CodeUnavailable if it could
// not be used just now. It never shows the key.
func (k Keys) Sign(ctx context.Context, i *flow.Integration, id string, claims map[string]any) (string, error) {
	token := jwt.NewWithClaims(jwt.SigningMethodRS256, jwt.MapClaims(claims))
	if id != "" {
		token.Header["kid"] = id
	}
	arn := i.Settings[strategy.SettingPrivateKeyKMS]
	ref, secret := i.Secrets[strategy.SettingPrivateKey]
	switch {
	case arn != "":
		return k.byKMS(ctx, arn, token)
	case secret:
		return k.bySecret(ctx, ref, token)
	}
	return "", flow.Errorf(flow.CodeStrategy, "integration %q has no private key: set %s or %s", i.Name, strategy.SettingPrivateKey, strategy.SettingPrivateKeyKMS)
}

func (k Keys) bySecret(ctx context.Context, ref flow.SecretRef, token *jwt.Token) (string, error) {
	text, err := k.Secrets.Value(ctx, ref)
	if err != nil {
		return "", err
	}
	key, err := jwt.ParseRSAPrivateKeyFromPEM([]byte(text))
	if err != nil {
		// The cause could quote the key.
		return "", flow.Errorf(flow.CodeStrategy, "secret %q is no private key: store the whole of what the vendor gave, from -----BEGIN to the end of the last line, of an RSA key without a passphrase", ref.Name)
	}
	signed, err := token.SignedString(key)
	if err != nil {
		return "", &flow.Error{Code: flow.CodeStrategy, Message: fmt.Sprintf("the private key in secret %q can't sign", ref.Name), Cause: err}
	}
	return signed, nil
}

func (k Keys) byKMS(ctx context.Context, arn string, token *jwt.Token) (string, error) {
	text, err := token.SigningString()
	if err != nil {
		return "", fmt.Errorf("encode the claims: %w", err)
	}
	accounts, err := k.Accounts()
	if err != nil {
		return "", &flow.Error{Code: flow.CodeUnavailable, Message: "the configuration of AWS's clients here can't be read", Cause: err}
	}
	digest := sha256.Sum256([]byte(text))
	api := kms.NewFromConfig(accounts.Config(strategy.AWSAccount{Region: flow.ARNRegion(arn)}, account.Caller{}))
	out, err := api.Sign(ctx, &kms.SignInput{
		KeyId: aws.String(arn), Message: digest[:], MessageType: types.MessageTypeDigest, SigningAlgorithm: types.SigningAlgorithmSpecRsassaPkcs1V15Sha256,
	})
	if err != nil {
		return "", failure(err, arn)
	}
	return text + "." + base64.RawURLEncoding.EncodeToString(out.Signature), nil
}

// failure says what an error of KMS's Sign means
// (https://docs.aws.amazon.com/kms/latest/APIReference/API_Sign.html).
func failure(err error, arn string) error {
	refused := func(code flow.Code, format string) error {
		return &flow.Error{Code: code, Message: fmt.Sprintf(format, arn), Cause: err}
	}
	switch account.Code(err) {
	case "NotFoundException":
		return refused(flow.CodeStrategy, "AWS KMS has no key %s: correct the integration")
	case "DisabledException":
		return refused(flow.CodeStrategy, "the key %s is disabled in AWS KMS: enable it")
	case "KMSInvalidStateException":
		return refused(flow.CodeStrategy, "the key %s is about to be deleted in AWS KMS, or has no key material yet: cancel the deletion, or import it")
	case "InvalidKeyUsageException", "ValidationException":
		return refused(flow.CodeStrategy, "the key %s of AWS KMS can't sign RS256: it must be an RSA key for signing")
	case "KeyUnavailableException", "DependencyTimeoutException":
		return refused(flow.CodeUnavailable, "AWS KMS can't use the key %s just now")
	}
	return account.Failure(err)
}
