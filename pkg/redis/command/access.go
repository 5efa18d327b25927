package command

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/skystash/skystash/pkg/redis/internal/glob"
	"github.com/skystash/skystash/pkg/redis/keyspace"
)

// Access is what a caller may do. The zero Access may do everything.
type Access struct {
	ReadOnly bool   // commands that only read, and none that walk the keyspace
	User     string // of the database's access control list; "": the default user
	By       Maker  // the credential that commands run for: the users that it makes live as long as it does
	Rules    *Rules // nil: everything
}

const (
	ErrNoPermKey     Error = "NOPERM No permissions to access a key"
	ErrNoPermChannel Error = "NOPERM No permissions to access a channel"
)

// AccessOf makes an Access of rules in the words of ACL SETUSER, about commands, keys and channels.
func (t Table) AccessOf(rules []string) (Access, error) {
	r := NewRules()
	for _, rule := range rules {
		if rule == "" || !strings.ContainsRune("+-~%&", rune(rule[0])) {
			return Access{}, fmt.Errorf("redis: rule %q is not about commands, keys or channels", rule)
		}
		if err := r.Apply(t, rule, false); err != nil {
			return Access{}, fmt.Errorf("redis: %w", err)
		}
	}
	return Access{Rules: r}, nil
}

// errTooDear refuses a command whose names are compared with rules for too long: it may be allowed.
const errTooDear Error = "NOPERM the rules are too many, or too long, to be compared with all names of the command"

// maxSteps bounds how many bytes of rules' patterns are looked at for one command. A thousand keys and a hundred rules take
// a tenth of that. A long pattern with a star looks at all of it for each byte of a name.
const maxSteps = 4_000_000

// effort is what a comparison with rules may still take.
type effort struct{ left int64 }

// matches is glob.Match, and false where the effort is not enough.
func (e *effort) matches(pattern, s string) bool {
	ok, steps := glob.MatchWithin(pattern, s, max(e.left, 0))
	e.left -= steps
	return ok
}

// Check refuses what the caller may not do. It is the one place where that is decided, for commands of
// any origin. keys are those among args. work is what the comparison with rules has taken, in units of keyspace.Budget: the
// caller has to count it.
func (a Access) Check(cmd *Command, args, keys []string) (work int64, err error) {
	if a.Rules == nil {
		return 0, a.check(cmd, args, keys, nil)
	}
	e := effort{left: maxSteps}
	if err = a.check(cmd, args, keys, &e); err != nil && e.left < 0 {
		err = errTooDear
	}
	return (maxSteps - e.left) * keyspace.GlobWork, err
}

func (a Access) check(cmd *Command, args, keys []string, e *effort) error {
	if a.ReadOnly && (cmd.Has(Write|Walks|Admin|Publishes) ||
		!cmd.Has(ReadOnly|Fast|Harmless) && cmd.Group != "connection" && cmd.Group != "pubsub") {
		return errNoPerm(cmd.FullName(args))
	}
	if cmd.Has(noauth) {
		return nil
	}
	for r := a.Rules; r != nil; r = r.Within {
		if !r.commands[cmd.FullName(args)] {
			return errNoPerm(cmd.FullName(args))
		}
		if _, denied := r.deniedKey(cmd, args, keys, e); denied {
			return ErrNoPermKey
		}
		if cmd.Has(Publishes) && !r.mayUseChannel(args[1], e) {
			return ErrNoPermChannel
		}
	}
	return nil
}

// DeniedKey finds a key among a command's arguments that the caller may not use as the command does.
func (a Access) DeniedKey(cmd *Command, args, keys []string) string {
	e := effort{left: maxSteps}
	for r := a.Rules; r != nil; r = r.Within {
		if key, denied := r.deniedKey(cmd, args, keys, &e); denied {
			return key
		}
	}
	return ""
}

// CheckSubscribe refuses channels and patterns of channels that the caller may not subscribe to.
//
// Read-only access without rules hears nothing: it is for tokens in browsers. Rules can name channels for it.
func (a Access) CheckSubscribe(channels, patterns []string) error {
	if a.ReadOnly && a.Rules == nil {
		if len(channels) > 0 {
			return errNoPerm("subscribe")
		}
		return errNoPerm("psubscribe")
	}
	e := effort{left: maxSteps}
	for r := a.Rules; r != nil; r = r.Within {
		if err := r.checkSubscribe(channels, patterns, &e); err != nil && e.left < 0 {
			return errTooDear
		} else if err != nil {
			return err
		}
	}
	return nil
}

func (r *Rules) checkSubscribe(channels, patterns []string, e *effort) error {
	for _, ask := range []struct {
		command string
		names   []string
		may     func(string) bool
	}{{"subscribe", channels, func(name string) bool { return r.mayUseChannel(name, e) }}, {"psubscribe", patterns, r.mayUsePattern}} {
		for _, name := range ask.names {
			if !r.commands[ask.command] {
				return errNoPerm(ask.command)
			}
			if !ask.may(name) {
				return ErrNoPermChannel
			}
		}
	}
	return nil
}

// MayHear reports whether the caller may know of a channel. work is as for Check.
func (a Access) MayHear(channel string) (may bool, work int64) {
	e := effort{left: maxSteps}
	may = !a.ReadOnly || a.Rules != nil
	for r := a.Rules; r != nil && may; r = r.Within {
		may = r.mayUseChannel(channel, &e)
	}
	return may, (maxSteps - e.left) * keyspace.GlobWork
}

// CheckMonitor refuses MONITOR to those who may not see what others do: it shows all keys and channels.
func (a Access) CheckMonitor() error {
	if a.ReadOnly {
		return errNoPerm("monitor")
	}
	for r := a.Rules; r != nil; r = r.Within {
		if !r.commands["monitor"] || !slices.Contains(r.Channels, "*") ||
			!slices.ContainsFunc(r.Keys, func(k KeyRule) bool { return k.Pattern == "*" && k.Read }) {
			return errNoPerm("monitor")
		}
	}
	return nil
}

// Rules are what a user may do. They are not changed once they are in use.
type Rules struct {
	Enabled   bool
	Passwords []string        // SHA-256, hexadecimal
	commands  map[string]bool // those allowed, by their full names
	Words     []string        // rules about commands as they were given, without those that others cover
	Keys      []KeyRule
	Channels  []string // patterns

	// Within bounds these rules: what is allowed must be allowed by both. It holds the rules of whoever
	// made the user, so that nobody grants more than he has. nil: no further bounds.
	Within *Rules
}

// KeyRule is a pattern of keys that may be read, written or both.
type KeyRule struct {
	Pattern     string
	Read, Write bool
}

func (k KeyRule) String() string {
	switch {
	case k.Read && k.Write:
		return "~" + k.Pattern
	case k.Read:
		return "%R~" + k.Pattern
	}
	return "%W~" + k.Pattern
}

const (
	MaxRules     = 1024      // words of one user
	MaxRuleBytes = 128 << 10 // of all of them
)

// NewRules are those of a new user: nothing.
func NewRules() *Rules {
	return &Rules{commands: map[string]bool{}, Words: []string{"-@all"}}
}

// Clone is a copy of the rules that may be changed.
func (r *Rules) Clone() *Rules {
	c := *r
	c.Passwords, c.Words, c.Keys, c.Channels = slices.Clone(r.Passwords), slices.Clone(r.Words), slices.Clone(r.Keys), slices.Clone(r.Channels)
	c.commands = maps.Clone(r.commands)
	return &c
}

// Text is what the rules are stored as, and what ACL LIST shows.
func (r *Rules) Text() []string {
	words := []string{"off"}
	if r.Enabled {
		words[0] = "on"
	}
	for _, p := range r.Passwords {
		words = append(words, "#"+p)
	}
	for _, k := range r.Keys {
		words = append(words, k.String())
	}
	for _, c := range r.Channels {
		words = append(words, "&"+c)
	}
	return append(words, r.Words...)
}

// Apply carries out one rule. stored rules may hold what clients cannot give: hashes.
func (r *Rules) Apply(t Table, rule string, stored bool) error {
	bad := func(why string) error {
		if rule != "" && strings.ContainsRune("><", rune(rule[0])) {
			rule = rule[:1] + "..." // no secrets in errors
		}
		return Error(fmt.Sprintf("ERR Error in ACL SETUSER modifier '%.100s': %s", rule, why))
	}
	switch word := strings.ToLower(rule); word {
	case "on", "off":
		r.Enabled = word == "on"
		return nil
	case "allcommands":
		return r.Apply(t, "+@all", stored)
	case "nocommands":
		return r.Apply(t, "-@all", stored)
	case "allkeys":
		return r.Apply(t, "~*", stored)
	case "resetkeys":
		r.Keys = nil
		return nil
	case "allchannels":
		return r.Apply(t, "&*", stored)
	case "resetchannels":
		r.Channels = nil
		return nil
	case "resetpass":
		r.Passwords = nil
		return nil
	case "reset":
		*r = *NewRules()
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
		password, err := GivenPassword(rest)
		if err != nil {
			return bad(err.Error())
		}
		if hash := HashPassword(password); !slices.Contains(r.Passwords, hash) {
			r.Passwords = append(r.Passwords, hash)
		}
		return nil
	case '<':
		password, err := GivenPassword(rest)
		i := slices.Index(r.Passwords, HashPassword(password))
		if err != nil || i < 0 {
			return bad("The password you are trying to remove from the user does not exist")
		}
		r.Passwords = slices.Delete(r.Passwords, i, i+1)
		return nil
	case '#':
		if !stored {
			return bad("hashes of passwords are not supported")
		}
		r.Passwords = append(r.Passwords, rest)
		return nil
	case '~':
		return r.addKeys(KeyRule{rest, true, true}, bad)
	case '%':
		access, pattern, ok := strings.Cut(rest, "~")
		access = strings.ToUpper(access)
		if !ok || access != "R" && access != "W" && access != "RW" && access != "WR" {
			return bad("Syntax error")
		}
		return r.addKeys(KeyRule{pattern, strings.Contains(access, "R"), strings.Contains(access, "W")}, bad)
	case '&':
		if slices.Contains(r.Channels, "*") && rest != "*" {
			return bad("Adding a pattern after the * pattern (or the 'allchannels' flag) is not valid and does not have any effect. Try 'resetchannels' to start with an empty list of channels")
		}
		if rest == "*" {
			r.Channels = nil
		}
		if !slices.Contains(r.Channels, rest) {
			r.Channels = append(r.Channels, rest)
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

func (r *Rules) addKeys(k KeyRule, bad func(string) error) error {
	all := KeyRule{"*", true, true}
	if slices.Contains(r.Keys, all) && k != all {
		return bad("Adding a pattern after the * pattern (or the 'allkeys' flag) is not valid and does not have any effect. Try 'resetkeys' to start with an empty list of patterns")
	}
	if k == all {
		r.Keys = nil
	}
	if !slices.Contains(r.Keys, k) {
		r.Keys = append(r.Keys, k)
	}
	return nil
}

// allow allows or denies a command with its subcommands, or a category. It reports false if there is none of that name.
func (r *Rules) allow(t Table, name string, yes bool) bool {
	found := false
	set := func(full string, cmd *Command) {
		if category, is := strings.CutPrefix(name, "@"); is {
			if category != "all" && !slices.Contains(cmd.Categories(), name) {
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
	t.Each(set)
	if !found && !slices.Contains(Categories, name) {
		return false
	}
	sign := "-"
	if yes {
		sign = "+"
	}
	if name == "@all" {
		r.Words = nil
	}
	r.Words = slices.DeleteFunc(r.Words, func(w string) bool { return w[1:] == name })
	r.Words = append(r.Words, sign+name)
	return true
}

func (r *Rules) mayUseChannel(channel string, e *effort) bool {
	return slices.ContainsFunc(r.Channels, func(pattern string) bool { return e.matches(pattern, channel) })
}

// mayUsePattern: only a pattern that is itself among the rules, for what others match cannot be told.
func (r *Rules) mayUsePattern(pattern string) bool {
	return slices.Contains(r.Channels, "*") || slices.Contains(r.Channels, pattern)
}

func (r *Rules) mayUseKey(key string, read, write bool, e *effort) bool {
	for _, k := range r.Keys {
		if (!read || k.Read) && (!write || k.Write) && (k.Pattern == "*" || e.matches(k.Pattern, key)) {
			return true
		}
	}
	return false
}

// deniedKey finds a key among a command's arguments that may not be used as the command does.
func (r *Rules) deniedKey(cmd *Command, args, keys []string, e *effort) (string, bool) {
	for i, key := range keys {
		if read, write := cmd.keyUse(args, i); !r.mayUseKey(key, read, write, e) {
			return key, true
		}
	}
	if (cmd.Name == "sort" || cmd.Name == "sort_ro") && !slices.ContainsFunc(r.Keys, func(k KeyRule) bool { return k.Pattern == "*" && k.Read }) {
		// Which keys the patterns lead to is in the data.
		for i := 2; i+1 < len(args); i++ {
			if strings.EqualFold(args[i], "by") || strings.EqualFold(args[i], "get") {
				return args[i+1], true
			}
		}
	}
	return "", false
}

// Categories are all categories, as ACL CAT lists them.
var Categories = []string{
	"@keyspace", "@read", "@write", "@set", "@sortedset", "@list", "@hash", "@string", "@bitmap", "@hyperloglog", "@geo",
	"@stream", "@pubsub", "@admin", "@fast", "@slow", "@blocking", "@dangerous", "@connection", "@transaction", "@scripting",
}

// Allow refuses a command that the caller may not run, or whose keys are too long. work is as for Check.
func (a Access) Allow(cmd *Command, args, keys []string) (work int64, err error) {
	if work, err = a.Check(cmd, args, keys); err != nil {
		return work, err
	}
	for _, key := range keys {
		if len(key) > keyspace.MaxKeySize {
			return work, keyspace.ErrKeySize(len(key))
		}
	}
	return work, nil
}
