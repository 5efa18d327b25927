package main

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/skystash/skystash/pkg/token"
)

// localTokens maps what "skystash token" is asked for to the variable that has it.
var localTokens = map[string]string{
	"redis":          "UPSTASH_REDIS_REST_TOKEN",
	"redis-readonly": "UPSTASH_REDIS_REST_READONLY_TOKEN",
	"kafka":          "UPSTASH_KAFKA_REST_PASSWORD",
	"qstash":         "QSTASH_TOKEN",
	"api-key":        "UPSTASH_API_KEY",
}

func newToken() *cobra.Command {
	var data string
	kinds := []string{"redis", "redis-readonly", "kafka", "qstash", "api-key"}
	cmd := &cobra.Command{
		Use:   "token [" + strings.Join(kinds, "|") + "]",
		Short: "Print a token of the local server, whole",
		Long: `Print a token of the local server, whole, for the command line: that of Redis if no other is named.
For a token of a deployment see "skystash admin mint-token --help".`,
		Example:   `  curl -H "Authorization: Bearer $(skystash token)" http://127.0.0.1:8000/set/greeting/hello`,
		ValidArgs: kinds,
		Args:      cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			kind := "redis"
			if len(args) > 0 {
				kind = args[0]
			}
			name, ok := localTokens[kind]
			if !ok {
				return misuse{fmt.Errorf("no token %q: want %s", kind, strings.Join(kinds, ", "))}
			}
			vars, err := readLocalEnv(data)
			if err != nil {
				return err
			}
			fmt.Fprintln(cmd.OutOrStdout(), vars[name])
			return nil
		},
	}
	cmd.Flags().StringVar(&data, "data", ".skystash", "`folder` of the local server")
	cmd.AddCommand(newInspect())
	return cmd
}

func newInspect() *cobra.Command {
	return &cobra.Command{
		Use:   "inspect TOKEN",
		Short: "Say what a token opens and until when; \"-\" reads it from standard input",
		Long: `Say what a token opens and until when. The signature is not checked, nor whether the token was revoked:
only the deployment can do that. "-" reads the token from standard input, so that it gets into no history.`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return misuse{errors.New("want one token, or - to read it from standard input")}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			text := args[0]
			if text == "-" {
				line, err := bufio.NewReader(cmd.InOrStdin()).ReadString('\n')
				if err != nil && !errors.Is(err, io.EOF) {
					return fmt.Errorf("reading the token: %w", err)
				}
				text = line
			}
			claims, err := token.Unverified(opened(strings.TrimSpace(text)))
			if err != nil {
				return fmt.Errorf("this is no token of Skystash: %w", err)
			}
			printClaims(cmd.OutOrStdout(), claims, time.Now())
			return nil
		},
	}
}

// opened is the token inside the envelope that QStash's clients send; other tokens are in none.
func opened(text string) string {
	raw, err := base64.StdEncoding.DecodeString(text)
	var envelope struct{ Password string }
	if err != nil || json.Unmarshal(raw, &envelope) != nil || envelope.Password == "" {
		return text
	}
	return envelope.Password
}

func printClaims(w io.Writer, c token.Claims, now time.Time) {
	row := func(name, value string) { fmt.Fprintf(w, "%-12s %s\n", name, value) }
	row("products", strings.Join(c.Products, ", "))
	row("resource", c.Resource)
	scope := map[token.Scope]string{token.ReadWrite: "reads and writes", token.ReadOnly: "reads only"}[c.Scope]
	row("scope", scope)
	if len(c.Rules) > 0 {
		row("rules", strings.Join(c.Rules, " "))
	}
	if c.Topics != (token.TopicRule{}) {
		row("topics", fmt.Sprintf("%s, %s", c.Topics.Topics, c.Topics.Permission))
	}
	if c.Groups != "" {
		row("groups", string(c.Groups))
	}
	if len(c.Destinations) > 0 {
		row("destinations", strings.Join(c.Destinations, ", "))
	}
	row("credential", c.CredentialID)
	row("issued", c.IssuedAt.UTC().Format(time.RFC3339))
	switch {
	case c.Expires.IsZero():
		row("expires", "never")
	case c.Expires.Before(now):
		row("expires", c.Expires.UTC().Format(time.RFC3339)+": it has expired")
	default:
		row("expires", c.Expires.UTC().Format(time.RFC3339))
	}
}

// readLocalEnv reads the variables that the local server has written into its folder.
func readLocalEnv(dir string) (map[string]string, error) {
	path := filepath.Join(dir, "local.env")
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("there is no %s: start \"skystash dev\" in this folder first, or name its folder with --data", path)
	}
	if err != nil {
		return nil, fmt.Errorf("reading the variables of the local server: %w", err)
	}
	vars := map[string]string{}
	for line := range strings.Lines(string(text)) {
		name, quoted, _ := strings.Cut(strings.TrimSpace(line), "=")
		if value, err := strconv.Unquote(quoted); err == nil {
			vars[name] = value
		}
	}
	return vars, nil
}
