package redis

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/skystash/skystash/pkg/redis/internal/glob"
)

// Access is what a caller may do. The zero Access may do everything.
type Access struct {
	ReadOnly bool   // commands that only read, and none that walk the keyspace
	User     string // of the database's access control list; "": the default user
	By       Maker  // the credential that commands run for: the users that it makes live as long as it does
	rules    *Rules // nil: everything
}

const (
	errNoPermKey     Error = "NOPERM No permissions to access a key"
	errNoPermChannel Error = "NOPERM No permissions to access a channel"
)

// check refuses what the caller may not do. It is the one place where that is decided, for commands of
// any origin. keys are those among args.
func (a Access) check(cmd *command, args, keys []string) error {
	if a.ReadOnly && cmd.group != "connection" &&
		(cmd.has(write|walks|admin|publishes) || !cmd.has(readonly|fast|harmless) && cmd.group != "pubsub") {
		return errNoPerm(cmd.fullName(args))
	}
	if cmd.has(noauth) {
		return nil
	}
	for r := a.rules; r != nil; r = r.within {
		if !r.commands[cmd.fullName(args)] {
			return errNoPerm(cmd.fullName(args))
		}
		if _, denied := r.deniedKey(cmd, args, keys); denied {
			return errNoPermKey
		}
		if cmd.name == "publish" && !r.mayUseChannel(args[1]) {
			return errNoPermChannel
		}
	}
	return nil
}

// deniedKey finds a key among a command's arguments that the caller may not use as the command does.
func (a Access) deniedKey(cmd *command, args, keys []string) string {
	for r := a.rules; r != nil; r = r.within {
		if key, denied := r.deniedKey(cmd, args, keys); denied {
			return key
		}
	}
	return ""
}

// CheckSubscribe refuses channels and patterns of channels that the caller may not subscribe to.
//
// Read-only access without rules hears nothing: it is for tokens in browsers. Rules can name channels for it.
func (a Access) CheckSubscribe(channels, patterns []string) error {
	if a.ReadOnly && a.rules == nil {
		if len(channels) > 0 {
			return errNoPerm("subscribe")
		}
		return errNoPerm("psubscribe")
	}
	for r := a.rules; r != nil; r = r.within {
		if err := r.checkSubscribe(channels, patterns); err != nil {
			return err
		}
	}
	return nil
}

func (r *Rules) checkSubscribe(channels, patterns []string) error {
	for _, ask := range []struct {
		command string
		names   []string
		may     func(string) bool
	}{{"subscribe", channels, r.mayUseChannel}, {"psubscribe", patterns, r.mayUsePattern}} {
		for _, name := range ask.names {
			if !r.commands[ask.command] {
				return errNoPerm(ask.command)
			}
			if !ask.may(name) {
				return errNoPermChannel
			}
		}
	}
	return nil
}

// mayHear reports whether the caller may know of a channel.
func (a Access) mayHear(channel string) bool {
	for r := a.rules; r != nil; r = r.within {
		if !r.mayUseChannel(channel) {
			return false
		}
	}
	return !a.ReadOnly || a.rules != nil
}

// CheckMonitor refuses MONITOR to those who may not see what others do: it shows all keys and channels.
func (a Access) CheckMonitor() error {
	if a.ReadOnly {
		return errNoPerm("monitor")
	}
	for r := a.rules; r != nil; r = r.within {
		if !r.commands["monitor"] || !slices.Contains(r.channels, "*") ||
			!slices.ContainsFunc(r.keys, func(k keyRule) bool { return k.pattern == "*" && k.read }) {
			return errNoPerm("monitor")
		}
	}
	return nil
}

// Rules are what a user may do. They are not changed once they are in use.
type Rules struct {
	enabled   bool
	passwords []string        // SHA-256, hexadecimal
	commands  map[string]bool // those allowed, by their full names
	words     []string        // rules about commands as they were given, without those that others cover
	keys      []keyRule
	channels  []string // patterns

	// within bounds these rules: what is allowed must be allowed by both. It holds the rules of whoever
	// made the user, so that nobody grants more than he has. nil: no further bounds.
	within *Rules
}

// keyRule is a pattern of keys that may be read, written or both.
type keyRule struct {
	pattern     string
	read, write bool
}

func (k keyRule) String() string {
	switch {
	case k.read && k.write:
		return "~" + k.pattern
	case k.read:
		return "%R~" + k.pattern
	}
	return "%W~" + k.pattern
}

const (
	maxRules     = 1024      // words of one user
	maxRuleBytes = 128 << 10 // of all of them
)

// newRules are those of a new user: nothing.
func newRules() *Rules {
	return &Rules{commands: map[string]bool{}, words: []string{"-@all"}}
}

func (r *Rules) clone() *Rules {
	c := *r
	c.passwords, c.words, c.keys, c.channels = slices.Clone(r.passwords), slices.Clone(r.words), slices.Clone(r.keys), slices.Clone(r.channels)
	c.commands = maps.Clone(r.commands)
	return &c
}

// text is what the rules are stored as, and what ACL LIST shows.
func (r *Rules) text() []string {
	words := []string{"off"}
	if r.enabled {
		words[0] = "on"
	}
	for _, p := range r.passwords {
		words = append(words, "#"+p)
	}
	for _, k := range r.keys {
		words = append(words, k.String())
	}
	for _, c := range r.channels {
		words = append(words, "&"+c)
	}
	return append(words, r.words...)
}

// apply carries out one rule. stored rules may hold what clients cannot give: hashes.
func (r *Rules) apply(t commandTable, rule string, stored bool) error {
	bad := func(why string) error {
		if rule != "" && strings.ContainsRune("><", rune(rule[0])) {
			rule = rule[:1] + "..." // no secrets in errors
		}
		return Error(fmt.Sprintf("ERR Error in ACL SETUSER modifier '%.100s': %s", rule, why))
	}
	switch word := strings.ToLower(rule); word {
	case "on", "off":
		r.enabled = word == "on"
		return nil
	case "allcommands":
		return r.apply(t, "+@all", stored)
	case "nocommands":
		return r.apply(t, "-@all", stored)
	case "allkeys":
		return r.apply(t, "~*", stored)
	case "resetkeys":
		r.keys = nil
		return nil
	case "allchannels":
		return r.apply(t, "&*", stored)
	case "resetchannels":
		r.channels = nil
		return nil
	case "resetpass":
		r.passwords = nil
		return nil
	case "reset":
		*r = *newRules()
		return nil
	case "sanitize-payload", "skip-sanitize-payload", "clearselectors":
		return nil
	case "nopass":
		return bad("users without a password are not supported")
	case "":
		return bad("Syntax error")
	}
	rest := rule[1:]
	switch rule[0] {
	case '>':
		password, err := givenPassword(rest)
		if err != nil {
			return bad(err.Error())
		}
		if hash := hashPassword(password); !slices.Contains(r.passwords, hash) {
			r.passwords = append(r.passwords, hash)
		}
		return nil
	case '<':
		password, err := givenPassword(rest)
		i := slices.Index(r.passwords, hashPassword(password))
		if err != nil || i < 0 {
			return bad("The password you are trying to remove from the user does not exist")
		}
		r.passwords = slices.Delete(r.passwords, i, i+1)
		return nil
	case '#':
		if !stored {
			return bad("hashes of passwords are not supported")
		}
		r.passwords = append(r.passwords, rest)
		return nil
	case '~':
		return r.addKeys(keyRule{rest, true, true}, bad)
	case '%':
		access, pattern, ok := strings.Cut(rest, "~")
		access = strings.ToUpper(access)
		if !ok || access != "R" && access != "W" && access != "RW" && access != "WR" {
			return bad("Syntax error")
		}
		return r.addKeys(keyRule{pattern, strings.Contains(access, "R"), strings.Contains(access, "W")}, bad)
	case '&':
		if slices.Contains(r.channels, "*") && rest != "*" {
			return bad("Adding a pattern after the * pattern (or the 'allchannels' flag) is not valid and does not have any effect. Try 'resetchannels' to start with an empty list of channels")
		}
		if rest == "*" {
			r.channels = nil
		}
		if !slices.Contains(r.channels, rest) {
			r.channels = append(r.channels, rest)
		}
		return nil
	case '+', '-':
		if !r.allow(t, strings.ToLower(rest), rule[0] == '+') {
			if strings.Contains(rest, "|") {
				return bad("rules for subcommands are not supported")
			}
			return bad("Unknown command or category name in ACL")
		}
		return nil
	case '(':
		return bad("selectors are not supported")
	}
	return bad("Syntax error")
}

func (r *Rules) addKeys(k keyRule, bad func(string) error) error {
	all := keyRule{"*", true, true}
	if slices.Contains(r.keys, all) && k != all {
		return bad("Adding a pattern after the * pattern (or the 'allkeys' flag) is not valid and does not have any effect. Try 'resetkeys' to start with an empty list of patterns")
	}
	if k == all {
		r.keys = nil
	}
	if !slices.Contains(r.keys, k) {
		r.keys = append(r.keys, k)
	}
	return nil
}

// allow allows or denies a command with its subcommands, or a category. It reports false if there is none of that name.
func (r *Rules) allow(t commandTable, name string, yes bool) bool {
	found := false
	set := func(full string, cmd *command) {
		if category, is := strings.CutPrefix(name, "@"); is {
			if category != "all" && !slices.Contains(cmd.categories(), name) {
				return
			}
		} else if top, _, _ := strings.Cut(full, "|"); top != name {
			return
		}
		found = true
		if yes {
			r.commands[full] = true
		} else {
			delete(r.commands, full)
		}
	}
	t.each(set)
	if !found && !slices.Contains(aclCategories, name) {
		return false
	}
	sign := "-"
	if yes {
		sign = "+"
	}
	if name == "@all" {
		r.words = nil
	}
	r.words = slices.DeleteFunc(r.words, func(w string) bool { return w[1:] == name })
	r.words = append(r.words, sign+name)
	return true
}

func (r *Rules) mayUseChannel(channel string) bool {
	return slices.ContainsFunc(r.channels, func(pattern string) bool { return glob.Match(pattern, channel) })
}

// mayUsePattern: only a pattern that is itself among the rules, for what others match cannot be told.
func (r *Rules) mayUsePattern(pattern string) bool {
	return slices.Contains(r.channels, "*") || slices.Contains(r.channels, pattern)
}

func (r *Rules) mayUseKey(key string, read, write bool) bool {
	for _, k := range r.keys {
		if (!read || k.read) && (!write || k.write) && (k.pattern == "*" || glob.Match(k.pattern, key)) {
			return true
		}
	}
	return false
}

// deniedKey finds a key among a command's arguments that may not be used as the command does.
func (r *Rules) deniedKey(cmd *command, args, keys []string) (string, bool) {
	for i, key := range keys {
		if read, write := cmd.keyUse(args, i); !r.mayUseKey(key, read, write) {
			return key, true
		}
	}
	if (cmd.name == "sort" || cmd.name == "sort_ro") && !slices.ContainsFunc(r.keys, func(k keyRule) bool { return k.pattern == "*" && k.read }) {
		// Which keys the patterns lead to is in the data.
		for i := 2; i+1 < len(args); i++ {
			if strings.EqualFold(args[i], "by") || strings.EqualFold(args[i], "get") {
				return args[i+1], true
			}
		}
	}
	return "", false
}

// aclCategories are all categories, as ACL CAT lists them.
var aclCategories = []string{
	"@keyspace", "@read", "@write", "@set", "@sortedset", "@list", "@hash", "@string", "@bitmap", "@hyperloglog", "@geo",
	"@stream", "@pubsub", "@admin", "@fast", "@slow", "@blocking", "@dangerous", "@connection", "@transaction", "@scripting",
}

// allow refuses a command that the caller may not run, or whose keys are too long.
func (a Access) allow(cmd *command, args, keys []string) error {
	if err := a.check(cmd, args, keys); err != nil {
		return err
	}
	for _, key := range keys {
		if len(key) > maxKeySize {
			return errKeySize(len(key))
		}
	}
	return nil
}
