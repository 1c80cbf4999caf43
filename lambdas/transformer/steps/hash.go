package steps

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/millrace-cdk/millrace/lambdas/event/object"
	"github.com/millrace-cdk/millrace/spec"
)

// MinKeyBytes is the shortest key of a Hash step: as long as the hash, since a
// shorter one weakens it (https://www.rfc-editor.org/rfc/rfc2104#section-3).
const MinKeyBytes = sha256.Size

// Secrets is what reading the key takes of Secrets Manager.
type Secrets interface {
	GetSecretValue(context.Context, *secretsmanager.GetSecretValueInput, ...func(*secretsmanager.Options)) (*secretsmanager.GetSecretValueOutput, error)
}

// ReadKey returns the secret's value, text or binary, as the key of Hash steps.
func ReadKey(ctx context.Context, secrets Secrets, arn string) ([]byte, error) {
	got, err := secrets.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: &arn})
	if err != nil {
		return nil, fmt.Errorf("reading the hash key %s: %w", arn, err)
	}
	if got.SecretString != nil {
		return []byte(aws.ToString(got.SecretString)), nil
	}
	return got.SecretBinary, nil
}

func newHash(h spec.Hash, key []byte) (step, error) {
	if len(key) < MinKeyBytes {
		return nil, fmt.Errorf("hash: the key must have %d bytes or more, got %d", MinKeyBytes, len(key))
	}
	return newEdit(h.Paths, func(dst, value []byte) ([]byte, bool, error) {
		if string(value) == "null" { // there is nothing to hide
			return append(dst, value...), true, nil
		}
		mac := hmac.New(sha256.New, key)
		if text, ok := object.Text(value); ok {
			value = text // however it is escaped
		}
		mac.Write(value)
		dst = append(dst, `"hmac-sha256:`...)
		dst = hex.AppendEncode(dst, mac.Sum(nil))
		return append(dst, '"'), true, nil
	}), nil
}
