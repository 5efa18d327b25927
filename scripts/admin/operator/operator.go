// Package operator is what an operator needs beside the deployment: commands that make signing keys, databases
// and tokens. The programs admin and skystash run them.
package operator

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/config"

	"github.com/skystash/skystash/functions/backend/awsredis"
	"github.com/skystash/skystash/functions/backend/cloud"
	"github.com/skystash/skystash/functions/backend/contract"
	"github.com/skystash/skystash/pkg/redis"
	"github.com/skystash/skystash/pkg/token"
)

// Command is one command of the operator.
type Command struct {
	Name  string
	Short string // what it does, in a line
	run   func(ctx context.Context, flags *flag.FlagSet, args []string, stdout, stderr io.Writer) error
}

// Run carries out the command with its flags. What scripts read goes to stdout, everything
// else to stderr. It returns flag.ErrHelp after it has printed the flags because the user asked for them.
func (c Command) Run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet(c.Name, flag.ContinueOnError)
	flags.SetOutput(stderr)
	return c.run(ctx, flags, args, stdout, stderr)
}

// Commands returns all commands, in the order in which the help lists them.
func Commands() []Command {
	return slices.Concat([]Command{
		{"keygen", "make the key that signs tokens, and print its public half", keygen},
		{"create-database", "make a database", createDatabase},
		{"mint-token", "make a token for a database", mintToken},
		{"revoke-token", "make one token invalid, by its credential id", revokeToken},
		{"reset-credentials", "make all tokens of a database invalid", resetCredentials},
		{"cost", "say what a synthesised app costs a month, and a million requests", printCost},
	}, backupCommands(), kafkaCommands(), qstashCommands(), controlCommands())
}

// Gateway returns the command about the gateway. It is not among Commands: the client of ECS is a megabyte of a program.
func Gateway() Command {
	return Command{"gateway", "switch the gateway on or off, or say how it is: gateway on, off or status", switchGateway}
}

// Guide says in which order the commands are used. program is how the commands are called, such as
// "go run ./scripts/admin".
func Guide(program string) string { return strings.ReplaceAll(guide, "PROGRAM", program) }

const guide = `A new deployment with the control plane, which makes keys, databases and tokens:

  ./scripts/cdk deploy --all -c tokenPublicKey=published     prints the URLs and the tables
  PROGRAM bootstrap -table <control table> -email <address>

What there was before the control plane gets into it, with its data; tokens minted before stay valid
where functions know the key they are signed with:

  PROGRAM adopt -table <control table> -email <address> -product redis -from <table> -id <id>

One without:

  PROGRAM keygen -out token-key.pem
  ./scripts/cdk deploy --all -c tokenPublicKey=<public key>  prints the URLs and the tables
  PROGRAM create-database -table <table> -name first
  PROGRAM mint-token -table <table> -database <id> -key token-key.pem

Region and credentials are found as by all AWS tools (AWS_REGION, AWS_PROFILE,
...); -endpoint names another endpoint, such as DynamoDB Local's. Whoever has
the private key can open every database: keep it out of repositories.
`

// Run carries out the command that the first argument names. program is how the commands are called.
func Run(ctx context.Context, program string, args []string, stdout, stderr io.Writer) error {
	commands := append(Commands(), Gateway())
	if len(args) == 0 || args[0] == "-h" || args[0] == "--help" || args[0] == "help" {
		fmt.Fprint(stderr, "Usage: admin <command> [flags]     (admin <command> -h lists the flags)\n\n")
		for _, c := range commands {
			fmt.Fprintf(stderr, "  %-24s %s\n", c.Name, c.Short)
		}
		fmt.Fprintf(stderr, "\n%s", Guide(program))
		return flag.ErrHelp
	}
	for _, c := range commands {
		if c.Name == args[0] {
			return c.Run(ctx, args[1:], stdout, stderr)
		}
	}
	return fmt.Errorf("no command %q; run admin without arguments for help", args[0])
}

// parse reads the flags; those named must be given.
func parse(flags *flag.FlagSet, args []string, required ...string) error {
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("%s: unexpected argument %q", flags.Name(), flags.Arg(0))
	}
	var missing []string
	for _, name := range required {
		if flags.Lookup(name).Value.String() == "" {
			missing = append(missing, "-"+name)
		}
	}
	if len(missing) > 0 {
		return fmt.Errorf("%s: missing %s", flags.Name(), strings.Join(missing, ", "))
	}
	return nil
}

// deployment holds the flags that lead to a deployment's engine.
type deployment struct{ table, endpoint *string }

func deploymentFlags(flags *flag.FlagSet) deployment {
	return deployment{
		table:    flags.String("table", "", "DynamoDB table, an output of the deployment"),
		endpoint: flags.String("endpoint", "", "another endpoint than DynamoDB's own"),
	}
}

// cloud finds region and credentials where AWS's tools look for them.
func (d deployment) cloud(ctx context.Context) (*cloud.Cloud, error) {
	aws, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return nil, fmt.Errorf("loading the AWS configuration: %w", err)
	}
	return cloud.New(cloud.Settings{AWS: aws, DynamoDBEndpoint: *d.endpoint}), nil
}

func (d deployment) open(ctx context.Context) (*redis.Engine, error) {
	c, err := d.cloud(ctx)
	if err != nil {
		return nil, err
	}
	r, err := awsredis.Open(c, awsredis.Config{Table: *d.table})
	return r.Engine, err
}

func keygen(_ context.Context, flags *flag.FlagSet, args []string, stdout, stderr io.Writer) error {
	out := flags.String("out", "", "file for the private key; must not exist")
	if err := parse(flags, args, "out"); err != nil {
		return err
	}
	key, err := token.GenerateKey()
	if err != nil {
		return err
	}
	private, err := token.EncodePrivateKey(key)
	if err != nil {
		return err
	}
	public, err := publicLine(key.Public().(ed25519.PublicKey))
	if err != nil {
		return err
	}
	file, err := os.OpenFile(*out, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600) // #nosec G703 -- who runs it names the file
	if err != nil {
		return fmt.Errorf("writing the private key: %w", err)
	}
	_, err = file.Write(private)
	if err = errors.Join(err, file.Close()); err != nil {
		return fmt.Errorf("writing the private key: %w", err)
	}
	fmt.Fprintf(stderr, "The private key is in %s. Deploy with -c tokenPublicKey=<key>, or put the key into\nSSM: aws ssm put-parameter --type String --name /skystash/token-public-key --value <key>\nThe public key:\n", *out)
	fmt.Fprintln(stdout, public)
	return nil
}

// publicLine writes a public key on one line, as token.ParsePublicKeys reads it.
func publicLine(key ed25519.PublicKey) (string, error) {
	text, err := token.EncodePublicKey(key)
	if err != nil {
		return "", err
	}
	block, _ := pem.Decode(text)
	return base64.StdEncoding.EncodeToString(block.Bytes), nil
}

func createDatabase(ctx context.Context, flags *flag.FlagSet, args []string, stdout, stderr io.Writer) error {
	d := deploymentFlags(flags)
	name := flags.String("name", "", "name, for people")
	id := flags.String("id", "", "id: letters, digits, '-' and '_'; chosen at random if not given")
	slots := flags.Int("slots", redis.DefaultSlots, fmt.Sprintf("partitions that the keys are spread over, a power of two up to %d;\nmore for more throughput, fewer for cheaper SCAN and DBSIZE", redis.MaxSlots))
	if err := parse(flags, args, "table", "name"); err != nil {
		return err
	}
	if *id == "" {
		*id = strings.ToLower(rand.Text())
	}
	engine, err := d.open(ctx)
	if err != nil {
		return err
	}
	db, err := engine.CreateDatabase(ctx, redis.DatabaseOptions{ID: *id, Name: *name, Slots: *slots})
	if err != nil {
		return err
	}
	fmt.Fprintf(stderr, "Database %q, with %d slots. Its id:\n", db.Name, db.Slots)
	fmt.Fprintln(stdout, db.ID)
	return nil
}

func mintToken(ctx context.Context, flags *flag.FlagSet, args []string, stdout, stderr io.Writer) error {
	d := deploymentFlags(flags)
	m := mintingFlags(flags)
	database := flags.String("database", "", "id of the database")
	readOnly := flags.Bool("readonly", false, "allow commands that read, and nothing else")
	rules := flags.String("rules", "", "allow only what these rules do, in the words of ACL SETUSER:\n\"+@read ~app:* &news\"")
	if err := parse(flags, args, "table", "key", "database"); err != nil {
		return err
	}
	mint, err := m.signer()
	if err != nil {
		return err
	}
	engine, err := d.open(ctx)
	if err != nil {
		return err
	}
	db, err := engine.Database(ctx, *database)
	if err != nil {
		return err
	}
	claims := token.Claims{
		CredentialID: rand.Text(),
		Resource:     db.ID,
		Products:     []string{token.ProductRedis},
		Scope:        token.ReadWrite,
		Generation:   db.CredentialGeneration,
	}
	if *readOnly {
		claims.Scope = token.ReadOnly
	}
	if claims.Rules = strings.Fields(*rules); len(claims.Rules) > 0 {
		if _, err := engine.AccessOf(claims.Rules); err != nil {
			return fmt.Errorf("flag -rules: %w", err)
		}
	}
	signed, err := mint(claims)
	if err != nil {
		return err
	}
	fmt.Fprintf(stderr, "Credential %s of database %q, scope %s. UPSTASH_REDIS_REST_TOKEN:\n", claims.CredentialID, db.Name, claims.Scope)
	fmt.Fprintln(stdout, signed)
	return nil
}

func revokeToken(ctx context.Context, flags *flag.FlagSet, args []string, _, stderr io.Writer) error {
	d := deploymentFlags(flags)
	database := flags.String("database", "", "id of the database")
	credential := flags.String("credential", "", "credential id, as mint-token printed it")
	if err := parse(flags, args, "table", "database", "credential"); err != nil {
		return err
	}
	engine, err := d.open(ctx)
	if err != nil {
		return err
	}
	if err := engine.RevokeCredential(ctx, *database, *credential, time.Time{}); err != nil {
		return err
	}
	fmt.Fprintf(stderr, "Credential %s opens nothing any more, everywhere within %v.\n", *credential, contract.RecordTTL)
	return nil
}

func resetCredentials(ctx context.Context, flags *flag.FlagSet, args []string, _, stderr io.Writer) error {
	d := deploymentFlags(flags)
	database := flags.String("database", "", "id of the database")
	if err := parse(flags, args, "table", "database"); err != nil {
		return err
	}
	engine, err := d.open(ctx)
	if err != nil {
		return err
	}
	if _, err := engine.ResetCredentials(ctx, *database); err != nil {
		return err
	}
	fmt.Fprintf(stderr, "All tokens of the database minted so far open nothing any more, everywhere within %v.\n", contract.RecordTTL)
	return nil
}
