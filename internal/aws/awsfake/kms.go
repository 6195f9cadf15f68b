package awsfake

import (
	"crypto"
	"crypto/rsa"
	"net/http"
	"sync"
)

// KMS is the service that signs with keys which never leave it.
type KMS struct {
	mu   sync.Mutex
	keys map[string]*kmsKey // by ARN
}

type kmsKey struct {
	private *rsa.PrivateKey
	state   string // "Enabled", "Disabled" or "PendingDeletion"
}

func newKMS() *KMS { return &KMS{keys: map[string]*kmsKey{}} }

// AddKey makes a key for signing.
func (k *KMS) AddKey(arn string, private *rsa.PrivateKey) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.keys[arn] = &kmsKey{private, "Enabled"}
}

// SetState has a key be "Enabled", "Disabled" or "PendingDeletion".
func (k *KMS) SetState(arn, state string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.keys[arn].state = state
}

func (k *KMS) service() *service {
	return &service{
		protocol:   awsJSON{"TrentService"},
		operations: []*operation{{name: "Sign", do: k.sign}},
		broken:     brokenJSON(), denied: deniedJSON("kms"), throttled: throttledJSON,
	}
}

func (k *KMS) sign(q *request) (any, error) {
	var in struct {
		KeyId, MessageType, SigningAlgorithm string
		Message                              []byte
	}
	if err := q.read(&in); err != nil {
		return nil, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	key := k.keys[in.KeyId]
	switch {
	case key == nil:
		return nil, &Fault{http.StatusBadRequest, "NotFoundException", "Key '" + in.KeyId + "' does not exist", nil}
	case key.state == "Disabled":
		return nil, &Fault{http.StatusBadRequest, "DisabledException", in.KeyId + " is disabled.", nil}
	case key.state != "Enabled":
		return nil, &Fault{http.StatusBadRequest, "KMSInvalidStateException", in.KeyId + " is pending deletion.", nil}
	case in.SigningAlgorithm != "RSASSA_PKCS1_V1_5_SHA_256":
		return nil, &Fault{http.StatusBadRequest, "InvalidKeyUsageException", "Algorithm " + in.SigningAlgorithm + " is incompatible with key spec RSA_2048.", nil}
	case in.MessageType != "DIGEST" || len(in.Message) != crypto.SHA256.Size():
		return nil, &Fault{http.StatusBadRequest, "ValidationException", "Digest is invalid length for algorithm " + in.SigningAlgorithm + ".", nil}
	}
	signature, err := rsa.SignPKCS1v15(nil, key.private, crypto.SHA256, in.Message)
	return map[string]any{"KeyId": in.KeyId, "Signature": signature, "SigningAlgorithm": in.SigningAlgorithm}, err
}
