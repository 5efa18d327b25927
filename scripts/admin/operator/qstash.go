package operator

import (
	"context"
	"crypto/rand"
	"flag"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/skystash/skystash/functions/backend/contract"
	"github.com/skystash/skystash/pkg/qstash"
	"github.com/skystash/skystash/pkg/qstash/rest"
	"github.com/skystash/skystash/pkg/token"
)

func qstashCommands() []Command {
	return []Command{
		{"create-account", "make a QStash account", createAccount},
		{"mint-qstash-token", "make a token for a QStash account", mintQStashToken},
		{"revoke-qstash-token", "make one token of a QStash account invalid, or all", revokeQStashToken},
	}
}

// openAccounts opens the engine for what concerns accounts alone: it neither sends nor wakes.
func (d deployment) openAccounts(ctx context.Context) (*qstash.Engine, error) {
	c, err := d.cloud(ctx)
	if err != nil {
		return nil, err
	}
	return qstash.New(qstash.Config{Store: c.Table(*d.table)}), nil
}

func createAccount(ctx context.Context, flags *flag.FlagSet, args []string, stdout, stderr io.Writer) error {
	d := deploymentFlags(flags)
	id := flags.String("id", "", "id, which clients see in their token; chosen at random if not given")
	if err := Parse(flags, args, "table"); err != nil {
		return err
	}
	if *id == "" {
		*id = strings.ToLower(rand.Text())
	}
	engine, err := d.openAccounts(ctx)
	if err != nil {
		return err
	}
	acct, err := engine.CreateAccount(ctx, *id, qstash.Keys{})
	if err != nil {
		return err
	}
	fmt.Fprintln(stderr, "QStash account; its signing keys are at /v2/keys. Its id:")
	fmt.Fprintln(stdout, acct.ID)
	return nil
}

func mintQStashToken(ctx context.Context, flags *flag.FlagSet, args []string, stdout, stderr io.Writer) error {
	d := deploymentFlags(flags)
	m := mintingFlags(flags)
	account := flags.String("account", "", "id of the account")
	readOnly := flags.Bool("readonly", false, "allow GET requests, and nothing else")
	if err := Parse(flags, args, "table", "key", "account"); err != nil {
		return err
	}
	mint, err := m.signer()
	if err != nil {
		return err
	}
	engine, err := d.openAccounts(ctx)
	if err != nil {
		return err
	}
	acct, err := engine.Account(ctx, *account)
	if err != nil {
		return fmt.Errorf("account %s: %w", *account, err)
	}
	claims := token.Claims{
		CredentialID: rand.Text(),
		Resource:     acct.ID,
		Products:     []string{token.ProductQStash},
		Scope:        token.ReadWrite,
		Generation:   acct.CredentialGeneration,
	}
	if *readOnly {
		claims.Scope = token.ReadOnly
	}
	password, err := mint(claims)
	if err != nil {
		return err
	}
	fmt.Fprintf(stderr, "Credential %s of account %q, scope %s. QSTASH_TOKEN:\n", claims.CredentialID, acct.ID, claims.Scope)
	fmt.Fprintln(stdout, rest.Envelope(acct.ID, password))
	return nil
}

func revokeQStashToken(ctx context.Context, flags *flag.FlagSet, args []string, _, stderr io.Writer) error {
	d := deploymentFlags(flags)
	account := flags.String("account", "", "id of the account")
	credential := flags.String("credential", "", "credential id, as mint-qstash-token printed it; all of the account if not given")
	if err := Parse(flags, args, "table", "account"); err != nil {
		return err
	}
	engine, err := d.openAccounts(ctx)
	if err != nil {
		return err
	}
	if *credential == "" {
		err = engine.ResetCredentials(ctx, *account)
	} else {
		err = engine.RevokeCredential(ctx, *account, *credential, time.Time{})
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(stderr, "Revoked, everywhere within %v.\n", contract.RecordTTL)
	return nil
}
