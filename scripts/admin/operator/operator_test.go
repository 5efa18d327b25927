package operator

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/skystash/skystash/pkg/redis"
	"github.com/skystash/skystash/pkg/store/dynamo"
	"github.com/skystash/skystash/pkg/testenv/dynamolocal"
	"github.com/skystash/skystash/pkg/token"
)

// admin runs a command that must succeed and returns what it printed for
// scripts and for people.
func admin(t *testing.T, args ...string) (stdout, stderr string) {
	t.Helper()
	var out, notes bytes.Buffer
	if err := Run(t.Context(), "admin", args, &out, &notes); err != nil {
		t.Fatalf("admin %v: %v", args, err)
	}
	return strings.TrimSuffix(out.String(), "\n"), notes.String()
}

// deployment makes an empty table and returns the flags that lead to it, and a
// way to look at a database's record.
func newDeployment(t *testing.T) (flags []string, record func(id string) *redis.Database) {
	t.Helper()
	client := dynamolocal.Client(t)
	options := client.Options()
	credentials, err := options.Credentials.Retrieve(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("AWS_REGION", options.Region)
	t.Setenv("AWS_ACCESS_KEY_ID", credentials.AccessKeyID)
	t.Setenv("AWS_SECRET_ACCESS_KEY", credentials.SecretAccessKey)
	table := dynamolocal.Table(t, client)
	return []string{"-table", table, "-endpoint", *options.BaseEndpoint}, func(id string) *redis.Database {
		t.Helper()
		db, err := redis.New(redis.Config{Store: dynamo.New(client, table)}).Database(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		return db
	}
}

func TestFromKeyToRevokedToken(t *testing.T) {
	flags, record := newDeployment(t)
	with := func(command string, args ...string) []string {
		return slices.Concat([]string{command}, flags, args)
	}
	keyFile := filepath.Join(t.TempDir(), "key.pem")
	public, _ := admin(t, "keygen", "-out", keyFile)
	if info, err := os.Stat(keyFile); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("key file: %v, %v", info.Mode(), err)
	}
	keys, err := token.ParsePublicKeys(public)
	if err != nil {
		t.Fatal(err)
	}
	verifier, err := token.NewVerifier(token.VerifierConfig{Keys: keys, Product: token.ProductRedis, Audience: "prod"})
	if err != nil {
		t.Fatal(err)
	}

	id, _ := admin(t, with("create-database", "-name", "First one", "-slots", "8")...)
	if db := record(id); db.Name != "First one" || db.Slots != 8 {
		t.Errorf("record %+v", db)
	}

	mint := with("mint-token", "-database", id, "-key", keyFile, "-audience", "prod")
	signed, notes := admin(t, mint...)
	claims, err := verifier.Verify(t.Context(), signed)
	if err != nil {
		t.Fatal(err)
	}
	if claims.Resource != id || claims.Scope != token.ReadWrite || claims.Generation != record(id).CredentialGeneration || !claims.Expires.IsZero() {
		t.Errorf("claims %+v", claims)
	}
	if !strings.Contains(notes, claims.CredentialID) {
		t.Errorf("the credential id %s is not told: %q", claims.CredentialID, notes)
	}

	signed, _ = admin(t, append(mint, "-readonly", "-valid", "1h")...)
	readOnly, err := verifier.Verify(t.Context(), signed)
	if err != nil || readOnly.Scope != token.ReadOnly || readOnly.CredentialID == claims.CredentialID {
		t.Errorf("claims %+v, %v", readOnly, err)
	}
	if left := time.Until(readOnly.Expires); left <= 0 || left > time.Hour {
		t.Errorf("expires in %v", left)
	}

	signed, _ = admin(t, append(mint, "-rules", "+@read ~app:* &news")...)
	if ruled, err := verifier.Verify(t.Context(), signed); err != nil || !slices.Equal(ruled.Rules, []string{"+@read", "~app:*", "&news"}) {
		t.Errorf("claims %+v, %v", ruled, err)
	}
	var out bytes.Buffer
	if err := Run(t.Context(), "admin", append(mint, "-rules", "+nosuch"), &out, &out); err == nil || !strings.Contains(err.Error(), "+nosuch") {
		t.Errorf("rules that are none: %v", err)
	}

	admin(t, with("revoke-token", "-database", id, "-credential", claims.CredentialID)...)
	if db := record(id); !db.Revoked.Has(claims.CredentialID) || db.Revoked.Has("another") {
		t.Errorf("revoked: %v", db.Revoked.List())
	}
	admin(t, with("reset-credentials", "-database", id)...)
	if db := record(id); db.CredentialGeneration != claims.Generation+1 {
		t.Errorf("generation %d after %d", db.CredentialGeneration, claims.Generation)
	}
}

func TestKeygenDoesNotOverwrite(t *testing.T) {
	file := filepath.Join(t.TempDir(), "key.pem")
	if err := os.WriteFile(file, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := Run(t.Context(), "admin", []string{"keygen", "-out", file}, &out, &out); err == nil {
		t.Error("no error")
	}
	if got, err := os.ReadFile(file); err != nil || string(got) != "precious" {
		t.Errorf("the file now holds %q, %v", got, err)
	}
}

func TestMistakesAreNamed(t *testing.T) {
	tests := []struct {
		args []string
		want string
	}{
		{[]string{"frobnicate"}, "frobnicate"},
		{[]string{"keygen"}, "-out"},
		{[]string{"create-database", "-table", "t"}, "-name"},
		{[]string{"mint-token"}, "-table, -key, -database"},
		{[]string{"mint-token", "-table", "t", "-database", "d", "-key", "/nowhere/key.pem"}, "private key"},
		{[]string{"revoke-token", "-table", "t", "stray"}, "stray"},
		{[]string{"reset-credentials", "-table", "t"}, "-database"},
	}
	for _, tt := range tests {
		t.Run(strings.Join(tt.args, " "), func(t *testing.T) {
			var out bytes.Buffer
			err := Run(context.Background(), "admin", tt.args, &out, &out)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want an error that says %q", err, tt.want)
			}
		})
	}
}

func TestUnknownDatabaseGetsNoToken(t *testing.T) {
	flags, _ := newDeployment(t)
	keyFile := filepath.Join(t.TempDir(), "key.pem")
	admin(t, "keygen", "-out", keyFile)
	var out bytes.Buffer
	args := slices.Concat([]string{"mint-token"}, flags, []string{"-database", "nothere", "-key", keyFile})
	if err := Run(t.Context(), "admin", args, &out, &out); err == nil {
		t.Errorf("minted %s", out.String())
	}
}
