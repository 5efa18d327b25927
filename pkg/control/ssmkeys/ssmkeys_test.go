package ssmkeys_test

import (
	"crypto/rand"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"github.com/skystash/skystash/pkg/control"
	"github.com/skystash/skystash/pkg/control/keyringtest"
	"github.com/skystash/skystash/pkg/control/ssmkeys"
	"github.com/skystash/skystash/pkg/testenv/motolocal"
)

func TestKeyring(t *testing.T) {
	client := ssm.NewFromConfig(aws.Config{
		Region: "eu-central-1", BaseEndpoint: aws.String(motolocal.Start(t)),
		Credentials: credentials.NewStaticCredentialsProvider("id", "secret", ""),
	})
	keyringtest.Run(t, func(t *testing.T) (control.Keyring, func() control.Keyring) {
		path := "/skystash-" + rand.Text() + "/signing-keys"
		open := func() control.Keyring { return ssmkeys.New(client, path) }
		return open(), open
	})
}
