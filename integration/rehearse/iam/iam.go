// Package iam decides whether a role's policies allow a call, as AWS does for roles of one account: a statement must
// allow it, and none may deny it. It knows what the templates use; anything else is an error, not a guess.
package iam

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// Statement is one statement of a policy, with its references resolved.
type Statement struct {
	Deny       bool
	Actions    []string // such as dynamodb:GetItem, with * and ? as wildcards
	Resources  []string // ARNs, likewise
	Conditions []Condition
}

// Condition compares a key of the request's context.
type Condition struct {
	Operator string // such as StringEquals
	Key      string
	Values   []string
}

// Request is what a role wants.
type Request struct {
	Action, Resource string
	Context          map[string][]string // condition keys
}

// String is the request as messages name it.
func (r Request) String() string { return r.Action + " on " + r.Resource }

// Parse reads a policy document whose references have been resolved.
func Parse(document any) ([]Statement, error) {
	doc, ok := document.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("iam: a policy that is a %T", document)
	}
	var all []Statement
	for _, v := range list(doc["Statement"]) {
		s, err := parseStatement(v)
		if err != nil {
			return nil, err
		}
		all = append(all, s)
	}
	return all, nil
}

func parseStatement(v any) (Statement, error) {
	in, ok := v.(map[string]any)
	if !ok {
		return Statement{}, fmt.Errorf("iam: a statement that is a %T", v)
	}
	var s Statement
	for name, value := range in {
		var err error
		switch name {
		case "Sid", "Principal":
		case "Effect":
			s.Deny = value == "Deny"
			if !s.Deny && value != "Allow" {
				err = fmt.Errorf("iam: effect %v", value)
			}
		case "Action":
			s.Actions, err = texts(value)
		case "Resource":
			s.Resources, err = texts(value)
		case "Condition":
			s.Conditions, err = parseConditions(value)
		default:
			err = fmt.Errorf("iam: a statement with %s", name)
		}
		if err != nil {
			return Statement{}, err
		}
	}
	return s, nil
}

func parseConditions(v any) ([]Condition, error) {
	operators, ok := v.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("iam: conditions that are a %T", v)
	}
	var all []Condition
	for operator, keys := range operators {
		if !slices.Contains(operatorsKnown, operator) {
			return nil, fmt.Errorf("iam: condition %s", operator)
		}
		of, ok := keys.(map[string]any)
		if !ok {
			return nil, fmt.Errorf("iam: condition %s of a %T", operator, keys)
		}
		for key, values := range of {
			want, err := texts(values)
			if err != nil {
				return nil, err
			}
			all = append(all, Condition{operator, key, want})
		}
	}
	return all, nil
}

var operatorsKnown = []string{"StringEquals", "StringLike", "ArnLike", "ArnEquals", "ForAllValues:StringEquals", "Bool"}

func list(v any) []any {
	if l, ok := v.([]any); ok {
		return l
	}
	return []any{v}
}

func texts(v any) ([]string, error) {
	var all []string
	for _, e := range list(v) {
		switch e := e.(type) {
		case string:
			all = append(all, e)
		case bool:
			all = append(all, fmt.Sprint(e))
		default:
			return nil, fmt.Errorf("iam: %v where a text should be", e)
		}
	}
	return all, nil
}

// Allowed reports whether the statements allow a request, and which of them decides; -1: none speaks of it, so that it is denied.
func Allowed(statements []Statement, r Request) (ok bool, by int) {
	by = -1
	for i, s := range statements {
		if !s.matches(r) {
			continue
		}
		if s.Deny {
			return false, i
		}
		ok = true
		if by < 0 {
			by = i
		}
	}
	return ok, by
}

func (s Statement) matches(r Request) bool {
	like := func(pattern string) bool { return Like(strings.ToLower(pattern), strings.ToLower(r.Action)) }
	return slices.ContainsFunc(s.Actions, like) &&
		slices.ContainsFunc(s.Resources, func(pattern string) bool { return Like(pattern, r.Resource) }) &&
		!slices.ContainsFunc(s.Conditions, func(c Condition) bool { return !c.holds(r.Context[c.Key]) })
}

func (c Condition) holds(values []string) bool {
	operator, every := strings.CutPrefix(c.Operator, "ForAllValues:")
	if len(values) == 0 {
		return every // which is how AWS has it
	}
	return !slices.ContainsFunc(values, func(v string) bool {
		return !slices.ContainsFunc(c.Values, func(want string) bool {
			if operator == "StringLike" || operator == "ArnLike" || operator == "ArnEquals" {
				return Like(want, v)
			}
			return want == v
		})
	})
}

// Like reports whether text matches a pattern in which * stands for any text, slashes too, and ? for one character.
func Like(pattern, text string) bool {
	// In path.Match a slash is special and so are brackets and backslashes: none of them is left.
	plain := strings.NewReplacer("/", "\x01", "[", "\x02", "\\", "\x03").Replace
	ok, err := path.Match(plain(pattern), plain(text))
	return err == nil && ok
}
