package operator

import (
	"context"
	"flag"
	"fmt"
	"io"

	"github.com/skystash/skystash/pkg/control"
)

func controlCommands() []Command {
	return []Command{
		{"bootstrap", "make the first account of the control plane, and its API key", bootstrap},
		{"create-api-key", "make another API key for an account, if all were lost", createAPIKey},
		{"create-user", "make an account that is no administrator, and an API key", createUser},
		{"adopt", "make what was made without the control plane a resource of an account", adopt},
	}
}

// accounts opens the control plane for what concerns accounts only: it has no products and no keys.
func (d deployment) accounts(ctx context.Context) (*control.Engine, error) {
	in, err := d.cloud(ctx)
	if err != nil {
		return nil, err
	}
	return control.New(control.Config{Store: in.Table(*d.table)}), nil
}

func bootstrap(ctx context.Context, flags *flag.FlagSet, args []string, stdout, stderr io.Writer) error {
	d := deploymentFlags(flags)
	email := flags.String("email", "", "e-mail address of the administrator")
	if err := Parse(flags, args, "table", "email"); err != nil {
		return err
	}
	engine, err := d.accounts(ctx)
	if err != nil {
		return err
	}
	acct, key, err := engine.Bootstrap(ctx, *email)
	if err != nil {
		return err
	}
	if key == "" {
		fmt.Fprintf(stderr, "Account %s has an API key already; create-api-key makes another one.\n", acct.Email)
		return nil
	}
	fmt.Fprintf(stderr, "Account %s. Its API key, which is shown only now:\n", acct.Email)
	fmt.Fprintln(stdout, key)
	return nil
}

func createAPIKey(ctx context.Context, flags *flag.FlagSet, args []string, stdout, stderr io.Writer) error {
	d := deploymentFlags(flags)
	email := flags.String("email", "", "e-mail address of the account")
	name := flags.String("name", "admin", "name of the key, for people")
	if err := Parse(flags, args, "table", "email"); err != nil {
		return err
	}
	engine, err := d.accounts(ctx)
	if err != nil {
		return err
	}
	acct, err := engine.AccountOf(ctx, *email)
	if err != nil {
		return err
	}
	return printAPIKey(ctx, engine, acct, *name, stdout, stderr)
}

func createUser(ctx context.Context, flags *flag.FlagSet, args []string, stdout, stderr io.Writer) error {
	d := deploymentFlags(flags)
	email := flags.String("email", "", "e-mail address of the account")
	if err := Parse(flags, args, "table", "email"); err != nil {
		return err
	}
	engine, err := d.accounts(ctx)
	if err != nil {
		return err
	}
	acct, err := engine.CreateAccount(ctx, *email, false)
	if err != nil {
		return err
	}
	return printAPIKey(ctx, engine, acct, "first", stdout, stderr)
}

func printAPIKey(ctx context.Context, engine *control.Engine, acct *control.Account, name string, stdout, stderr io.Writer) error {
	_, key, err := engine.CreateAPIKey(ctx, acct.ID, name)
	if err != nil {
		return err
	}
	fmt.Fprintf(stderr, "Account %s. Its API key, which is shown only now:\n", acct.Email)
	fmt.Fprintln(stdout, key)
	return nil
}
