package operator

import (
	"bytes"
	"crypto/ed25519"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/skystash/skystash/pkg/qstash"
	"github.com/skystash/skystash/pkg/qstash/rest"
	"github.com/skystash/skystash/pkg/store/dynamo"
	"github.com/skystash/skystash/pkg/testenv/dynamolocal"
	"github.com/skystash/skystash/pkg/token"
)

func TestQStashAccountAndTokens(t *testing.T) {
	client := dynamolocal.Client(t)
	table := dynamolocal.Table(t, client)
	options := client.Options()
	credentials, err := options.Credentials.Retrieve(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("AWS_REGION", options.Region)
	t.Setenv("AWS_ACCESS_KEY_ID", credentials.AccessKeyID)
	t.Setenv("AWS_SECRET_ACCESS_KEY", credentials.SecretAccessKey)
	keyFile := filepath.Join(t.TempDir(), "key.pem")
	admin := func(args ...string) (stdout, stderr string) {
		t.Helper()
		var out, errs bytes.Buffer
		if err := Run(t.Context(), "admin", args, &out, &errs); err != nil {
			t.Fatalf("%v: %v", args, err)
		}
		return strings.TrimSpace(out.String()), errs.String()
	}
	admin("keygen", "-out", keyFile)
	where := []string{"-table", table, "-endpoint", *options.BaseEndpoint}
	with := func(command string, flags ...string) []string {
		return append(append([]string{command}, where...), flags...)
	}
	account, _ := admin(with("create-account")...)
	text, said := admin(with("mint-qstash-token", "-key", keyFile, "-account", account, "-readonly")...)

	pem, err := os.ReadFile(keyFile)
	if err != nil {
		t.Fatal(err)
	}
	key, err := token.ParsePrivateKey(pem)
	if err != nil {
		t.Fatal(err)
	}
	verifier, err := token.NewVerifier(token.VerifierConfig{Keys: []ed25519.PublicKey{key.Public().(ed25519.PublicKey)}})
	if err != nil {
		t.Fatal(err)
	}
	tokens := rest.Tokens{Engine: qstash.New(qstash.Config{Store: dynamo.New(client, table)}), Verifier: verifier}
	if got, err := tokens.Authenticate(t.Context(), text); err != nil || got != (rest.Access{Account: account, ReadOnly: true}) {
		t.Errorf("%+v, %v", got, err)
	}
	credential := strings.Fields(said)[1]
	admin(with("revoke-qstash-token", "-account", account, "-credential", credential)...)
	if _, err := tokens.Authenticate(t.Context(), text); err == nil {
		t.Error("a revoked token is good")
	}
	second, _ := admin(with("mint-qstash-token", "-key", keyFile, "-account", account)...)
	if got, err := tokens.Authenticate(t.Context(), second); err != nil || got.ReadOnly {
		t.Errorf("%+v, %v", got, err)
	}
	admin(with("revoke-qstash-token", "-account", account)...)
	if _, err := tokens.Authenticate(t.Context(), second); err == nil {
		t.Error("a token is good although all were revoked")
	}
}
