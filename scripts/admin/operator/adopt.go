package operator

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"io"
	"os"

	"github.com/skystash/skystash/pkg/control"
)

func adopt(ctx context.Context, flags *flag.FlagSet, args []string, stdout, stderr io.Writer) error {
	d := deploymentFlags(flags)
	email := flags.String("email", "", "e-mail address of the account")
	product := flags.String("product", "", "redis, kafka or qstash")
	from := flags.String("from", "", "the product's DynamoDB table, an output of the deployment; -table is the control plane's")
	id := flags.String("id", "", "id of the database, the cluster or the account")
	name := flags.String("name", "", "name of the resource, for people; the one it has, or its id, if not given")
	region := flags.String("region", os.Getenv("AWS_REGION"), "region of the deployment")
	if err := Parse(flags, args, "table", "email", "product", "from", "id", "region"); err != nil {
		return err
	}
	c, err := d.cloud(ctx)
	if err != nil {
		return err
	}
	cfg := control.Config{Store: c.Table(*d.table), Region: *region}
	known, err := found(ctx, &cfg, deployment{table: from, endpoint: d.endpoint}, control.Product(*product), *id)
	if err != nil {
		return err
	}
	engine := control.New(cfg)
	acct, err := engine.AccountOf(ctx, *email)
	if err != nil {
		return err
	}
	r, err := engine.Adopt(ctx, acct.ID, control.Product(*product), *id, cmp.Or(*name, known, *id))
	if err != nil {
		return err
	}
	fmt.Fprintf(stderr, "%q is a resource of account %s; nothing in it has changed. Its id:\n", r.Name, acct.Email)
	fmt.Fprintln(stdout, r.ID)
	return nil
}

// found opens the engine of a product, for a control plane, and returns the name that what is to be adopted has there.
func found(ctx context.Context, cfg *control.Config, d deployment, product control.Product, id string) (string, error) {
	switch product {
	case control.Redis:
		engine, err := d.open(ctx)
		if err != nil {
			return "", err
		}
		cfg.Redis = engine
		db, err := engine.Database(ctx, id)
		if err != nil {
			return "", fmt.Errorf("database %s: %w", id, err)
		}
		return db.Name, nil
	case control.Kafka:
		engine, c, err := d.cluster(ctx, id)
		if err != nil {
			return "", err
		}
		cfg.Kafka = engine
		return c.Name, nil
	case control.QStash:
		engine, err := d.openAccounts(ctx)
		if err != nil {
			return "", err
		}
		cfg.QStash = engine
		if _, err := engine.Account(ctx, id); err != nil {
			return "", fmt.Errorf("account %s: %w", id, err)
		}
		return "", nil
	}
	return "", fmt.Errorf("flag -product: %q is not redis, kafka or qstash", product)
}
