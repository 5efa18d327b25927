package differential

import (
	"slices"
	"strings"
)

// difference is one that is meant.
type difference struct {
	reason string
	is     func(args []string, want, got reply) bool
}

// differences are the places where Skystash follows the REST service that it
// stands in for, or a later Redis, rather than Redis 7.0.
var differences = []difference{
	{"an unknown command is answered in the words of the service", func(_ []string, want, got reply) bool {
		return want.isError() && strings.HasPrefix(want.text, "ERR unknown command") && got.isError() && strings.HasPrefix(got.text, "ERR Command is not available")
	}},
	{"COPY of a key onto itself answers 0", func(args []string, want, got reply) bool {
		return strings.EqualFold(args[0], "COPY") && want.text == "ERR source and destination objects are the same" && got.kind == ':' && got.text == "0"
	}},
	{"UNLINK and DEL without keys answer 0", func(args []string, want, got reply) bool {
		return len(args) == 1 && (strings.EqualFold(args[0], "UNLINK") || strings.EqualFold(args[0], "DEL")) && want.isError() && got.kind == ':' && got.text == "0"
	}},
	{"ZRANGE takes LIMIT without BYSCORE or BYLEX", func(args []string, want, got reply) bool {
		return strings.HasPrefix(strings.ToUpper(args[0]), "ZRANGE") && strings.HasPrefix(want.text, "ERR syntax error, LIMIT is only supported")
	}},
	{"a cursor is a number in plain digits", func(args []string, want, got reply) bool {
		return strings.HasSuffix(strings.ToUpper(args[0]), "SCAN") && got.text == "ERR invalid cursor"
	}},
	{"ZRANK and ZREVRANK take WITHSCORE, as since Redis 7.2", func(args []string, want, got reply) bool {
		return len(args) > 3 && strings.Contains(want.text, "wrong number of arguments for 'z") && strings.HasSuffix(strings.ToUpper(args[0]), "RANK") && len(args) == 4
	}},
	{"BITCOUNT and BITPOS check their arguments before they look for the key, as since Redis 7.2", func(args []string, want, got reply) bool {
		name := strings.ToUpper(args[0])
		return (name == "BITCOUNT" || name == "BITPOS") && (want.kind == ':' || want.isError()) && strings.HasPrefix(got.text, "ERR ")
	}},
	{"PFCOUNT does not write the estimate into the key, where Redis keeps it", func(args []string, want, got reply) bool {
		return strings.EqualFold(args[0], "GET") && withoutEstimate(want.text) != "" && withoutEstimate(want.text) == withoutEstimate(got.text)
	}},
	{"Redis ends an argument that it quotes in an error at its first NUL", func(args []string, want, got reply) bool {
		before, _, _ := strings.Cut(want.text, "'")
		return want.isError() && (strings.HasPrefix(got.text, want.text) || strings.HasPrefix(got.text, before+"'")) && strings.Contains(strings.Join(args, ""), "\x00")
	}},
}

// withoutEstimate is a HyperLogLog but for the estimate in bytes 8 to 15; "" if s is none.
func withoutEstimate(s string) string {
	if len(s) < 16 || s[:4] != "HYLL" {
		return ""
	}
	return s[:8] + s[16:]
}

// allowed is the reason for a difference that is meant, otherwise "".
func allowed(args []string, want, got reply) string {
	for _, d := range slices.Concat(differences, streamDifferences) {
		if d.is(args, want, got) {
			return d.reason
		}
	}
	return ""
}

// otherArity reports whether Redis 7.0 wants another number of arguments than is
// meant here. That refuses a whole transaction, after which the states differ.
func otherArity(args []string) bool {
	switch strings.ToUpper(args[0]) {
	case "ZRANK", "ZREVRANK":
		return len(args) == 4
	case "DEL", "UNLINK":
		return len(args) == 1
	}
	return false
}
