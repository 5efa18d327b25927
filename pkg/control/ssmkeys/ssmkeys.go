// Package ssmkeys keeps signing keys in AWS Systems Manager's Parameter Store: each in a
// SecureString of its own, under a path of the deployment's.
//
// Parameter Store rather than Secrets Manager, which would take 0.40 dollars a month for
// each key: standard parameters cost nothing, are encrypted with KMS too, and IAM bounds who
// reads them in the same way. What Secrets Manager has beside, versions and rotation by
// schedule, is not needed: a key is never changed, and a new one is another parameter.
package ssmkeys

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"github.com/skystash/skystash/pkg/control"
	"github.com/skystash/skystash/pkg/token"
)

// Keyring is a [control.Keyring]. It is safe for concurrent use.
type Keyring struct {
	client *ssm.Client
	path   string
}

// New makes a keyring of the parameters under a path, such as "/skystash/signing-keys".
func New(client *ssm.Client, path string) *Keyring {
	return &Keyring{client, strings.TrimSuffix(path, "/") + "/"}
}

// IDs implements control.Keyring.
func (k *Keyring) IDs(ctx context.Context) ([]string, error) {
	var ids []string
	pages := ssm.NewGetParametersByPathPaginator(k.client, &ssm.GetParametersByPathInput{Path: &k.path})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("listing the signing keys: %w", err)
		}
		for _, p := range page.Parameters {
			ids = append(ids, strings.TrimPrefix(aws.ToString(p.Name), k.path))
		}
	}
	return ids, nil
}

// Key implements control.Keyring.
func (k *Keyring) Key(ctx context.Context, id string) (ed25519.PrivateKey, error) {
	out, err := k.client.GetParameter(ctx, &ssm.GetParameterInput{Name: aws.String(k.path + id), WithDecryption: aws.Bool(true)})
	if none := (*types.ParameterNotFound)(nil); errors.As(err, &none) {
		return nil, control.ErrNoKey
	}
	if err != nil {
		return nil, fmt.Errorf("reading signing key %s: %w", id, err)
	}
	key, err := token.ParsePrivateKey([]byte(aws.ToString(out.Parameter.Value)))
	if err != nil {
		return nil, fmt.Errorf("signing key %s: %w", id, err)
	}
	return key, nil
}

// Add implements control.Keyring.
func (k *Keyring) Add(ctx context.Context, key ed25519.PrivateKey) error {
	id := token.KeyID(key.Public().(ed25519.PublicKey))
	text, err := token.EncodePrivateKey(key)
	if err != nil {
		return err
	}
	_, err = k.client.PutParameter(ctx, &ssm.PutParameterInput{
		Name: aws.String(k.path + id), Value: aws.String(string(text)), Type: types.ParameterTypeSecureString,
		Description: aws.String("Skystash: signs tokens"),
	})
	if there := (*types.ParameterAlreadyExists)(nil); err != nil && !errors.As(err, &there) {
		return fmt.Errorf("keeping signing key %s: %w", id, err)
	}
	return nil
}

// Remove implements control.Keyring.
func (k *Keyring) Remove(ctx context.Context, id string) error {
	_, err := k.client.DeleteParameter(ctx, &ssm.DeleteParameterInput{Name: aws.String(k.path + id)})
	if none := (*types.ParameterNotFound)(nil); err != nil && !errors.As(err, &none) {
		return fmt.Errorf("removing signing key %s: %w", id, err)
	}
	return nil
}
