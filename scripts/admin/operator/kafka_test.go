package operator

import (
	"crypto/ed25519"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/skystash/skystash/pkg/token"
)

func TestKafkaFromClusterToRevokedCredential(t *testing.T) {
	flags, _ := newDeployment(t)
	with := func(command string, args ...string) []string {
		return slices.Concat([]string{command}, flags, args)
	}
	keyFile := filepath.Join(t.TempDir(), "key.pem")
	public, _ := admin(t, "keygen", "-out", keyFile)
	id, _ := admin(t, with("create-kafka-cluster", "-name", "first")...)
	admin(t, with("create-kafka-topic", "-cluster", id, "-name", "red", "-partitions", "3", "-retention", "1h")...)
	if err := Run(t.Context(), "admin", with("create-kafka-topic", "-cluster", id, "-name", "red"), io.Discard, io.Discard); err == nil {
		t.Error("the topic is made twice")
	}
	out, notes := admin(t, with("mint-kafka-credential", "-cluster", id, "-key", keyFile, "-permission", "produce", "-topics", "r*")...)
	user, password, _ := strings.Cut(out, "\n")
	keys, err := token.ParsePublicKeys(public)
	if err != nil {
		t.Fatal(err)
	}
	verifier, err := token.NewVerifier(token.VerifierConfig{Keys: []ed25519.PublicKey(keys), Product: token.ProductKafka})
	if err != nil {
		t.Fatal(err)
	}
	claims, err := verifier.Verify(t.Context(), password)
	if err != nil || claims.KafkaUsername() != user || claims.Resource != id || !claims.MayProduce("red") || claims.MayConsume("red") || claims.MayProduce("blue") {
		t.Errorf("user %s, claims %+v, %v", user, claims, err)
	}
	if strings.Contains(notes, password) {
		t.Error("the password is among the notes")
	}
	admin(t, with("revoke-kafka-credential", "-cluster", id, "-credential", claims.CredentialID)...)
	admin(t, with("delete-kafka-topic", "-cluster", id, "-name", "red")...)
	for _, args := range [][]string{
		with("create-kafka-topic", "-cluster", "none", "-name", "red"),
		with("delete-kafka-topic", "-cluster", id, "-name", "red"),
		with("mint-kafka-credential", "-cluster", id, "-key", keyFile, "-permission", "some"),
		with("create-kafka-cluster"),
	} {
		if err := Run(t.Context(), "admin", args, io.Discard, io.Discard); err == nil {
			t.Errorf("%q succeeds", args)
		}
	}
}
