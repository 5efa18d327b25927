package console

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/skystash/skystash/pkg/control"
	"github.com/skystash/skystash/pkg/redis"
	"github.com/skystash/skystash/pkg/redis/cli"
	"github.com/skystash/skystash/pkg/redis/resp"
)

func redisCLIPages() []*page {
	const p = control.Redis
	return []*page{
		{route: "GET /r/{id}/cli", title: "Command line", view: "redis-cli", product: p, nav: nav{groupData, "Command line", "terminal"}, serve: showCLI},
		{route: "POST /r/{id}/cli", title: "Command line", view: "redis-cli", product: p, serve: runCommand},
		{route: "GET /r/{id}/cli/commands", product: p, serve: listCommands},
	}
}

const (
	maxOutput  = 64 << 10         // bytes of a reply that are shown
	maxCommand = 15 * time.Second // that a command takes, waiting included
)

// exchange is a command with its reply.
type exchange struct {
	Line    string
	Reply   string
	Took    time.Duration
	Bad     bool
	Cut     bool
	Confirm string // why it has to be confirmed; it was not run then
}

func showCLI(r *request) error { return r.render((*exchange)(nil)) }

func runCommand(r *request) error {
	db, err := r.h.redis.Database(r.Context(), r.resource.ID)
	if errors.Is(err, redis.ErrNoDatabase) {
		return errNoPage
	}
	if err != nil {
		return err
	}
	ex := &exchange{Line: strings.TrimSpace(r.PostForm.Get("line"))}
	args, err := cli.Split(ex.Line)
	switch {
	case err != nil:
		ex.Reply, ex.Bad = "Invalid argument(s): "+err.Error()+". Put what has quotes or blanks in it between single quotes: '{\"a\": 1}'.", true
	case len(args) == 0:
		ex.Reply = "Type a command, such as SET greeting hello, or HELP GET for what one does."
	case strings.EqualFold(args[0], "help"):
		ex.Reply = r.h.commandHelp(args[1:])
	case endless[strings.ToUpper(args[0])] != "":
		ex.Reply, ex.Bad = endless[strings.ToUpper(args[0])], true
	case r.form("confirmed") == "" && destructive(args) != "":
		ex.Confirm = destructive(args)
	default:
		if err := r.execCommand(db, args, ex); err != nil {
			return err
		}
	}
	if r.isHTMX() {
		return r.fragment("redis-cli", "exchange", ex)
	}
	return r.render(ex)
}

// execCommand runs a command and shows its reply.
func (r *request) execCommand(db *redis.Database, args []string, ex *exchange) error {
	ctx, cancel := context.WithTimeout(r.Context(), maxCommand)
	defer cancel()
	var w resp.Writer
	start := r.h.now()
	err := r.h.redis.Do(ctx, db, redis.Access{}, args, &w)
	ex.Took = r.h.now().Sub(start)
	if err != nil && r.Context().Err() == nil {
		r.h.log.Log(r.Context(), redis.FailureLevel(err), "a command failed", "command", args[0], "error", err)
		w.Error(redis.FailureText(err))
	} else if err != nil {
		return err
	}
	ex.Bad = resp.IsError(w.Buf)
	ex.Reply, ex.Cut = cli.Format(w.Buf, maxOutput)
	ex.Reply = strings.TrimSuffix(ex.Reply, "\n")
	return nil
}

// endless commands have no reply that ends.
var endless = map[string]string{
	"SUBSCRIBE":  "Subscriptions are not possible here: use GET /subscribe/<channel> of the REST API, which streams the messages.",
	"PSUBSCRIBE": "Subscriptions are not possible here: use GET /psubscribe/<pattern> of the REST API, which streams the messages.",
	"MONITOR":    "Monitoring is not possible here: use GET /monitor of the REST API, which streams the commands.",
	"MULTI":      "Transactions are not possible here, as each command comes on a connection of its own. Use EVAL, or /multi-exec of the REST API.",
}

// destructive says what a command destroys; "" if it is to be run without asking.
func destructive(args []string) string {
	switch strings.ToUpper(args[0]) {
	case "FLUSHALL", "FLUSHDB":
		return "This deletes all keys of the database. It cannot be taken back."
	case "FUNCTION", "SCRIPT":
		if len(args) > 1 && strings.EqualFold(args[1], "flush") {
			return "This deletes all of the database's " + strings.ToLower(args[0]) + "s. It cannot be taken back."
		}
	}
	return ""
}

// commandHelp explains commands by name, such as "GET" or "CONFIG GET".
func (h *Handler) commandHelp(words []string) string {
	if len(words) == 0 {
		return "HELP <command> says what a command does. Tab completes, the arrow keys go through what was typed before."
	}
	name := strings.ToUpper(strings.Join(words, " "))
	var b strings.Builder
	for _, c := range h.redis.Commands() {
		if c.Name != name && !strings.HasPrefix(c.Name, name+" ") {
			continue
		}
		if b.Len() > 0 {
			b.WriteString("\n\n")
		}
		fmt.Fprintf(&b, "%s\n  %s\n  Group: %s, since Redis %s", usageLine(c), c.Summary, c.Group, c.Since)
	}
	if b.Len() == 0 {
		return "There is no command " + name + "."
	}
	return b.String()
}

// usageLine shows how a command is written, as far as its arity tells.
func usageLine(c redis.CommandInfo) string {
	words := strings.Fields(c.Name)
	least := c.Arity
	if least < 0 {
		least = -least
	}
	for i := len(words); i < least; i++ {
		if i == c.FirstKey {
			words = append(words, "key")
		} else {
			words = append(words, "arg")
		}
	}
	line := strings.Join(words, " ")
	if c.Arity < 0 {
		line += " …"
	}
	return line
}

// completion is a command as scripts offer it.
type completion struct {
	Name    string `json:"name"`
	Usage   string `json:"usage"`
	Summary string `json:"summary"`
}

// listCommands answers with the commands that can be completed, as JSON.
func listCommands(r *request) error {
	var list []completion
	for _, c := range r.h.redis.Commands() {
		list = append(list, completion{c.Name, usageLine(c), c.Summary})
	}
	r.w.Header().Set("Content-Type", "application/json")
	r.w.Header().Set("Cache-Control", "private, max-age=3600")
	r.w.WriteHeader(http.StatusOK)
	return json.NewEncoder(r.w).Encode(list)
}
