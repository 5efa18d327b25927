package command

import (
	"fmt"
	"math"
	"strings"

	"github.com/skystash/skystash/pkg/redis/internal/num"
	"github.com/zeebo/xxh3"
)

// setCond is SET's condition.
type setCond int

const (
	setAlways setCond = iota
	setNX             // the key does not exist
	setXX             // it exists
	setIfEq           // its value is
	setIfNe           // its value is not, or it does not exist
	setIfDeq          // its value's digest is
	setIfDne          // its value's digest is not, or it does not exist
)

// setOptions are the options of SET and of the commands that are forms of it.
type setOptions struct {
	cond    setCond
	operand string // of setIfEq and so on
	get     bool
	keepTTL bool
	at      int64 // expiry, Unix ms; 0: none
	reply01 bool  // reply 1 or 0 instead of OK or nil
}

func (o setOptions) comparesValue() bool { return o.cond >= setIfEq }

// met evaluates the condition on the old value.
func (o setOptions) met(exists bool, old string) bool {
	switch o.cond {
	case setNX:
		return !exists
	case setXX:
		return exists
	case setIfEq:
		return exists && old == o.operand
	case setIfNe:
		return !exists || old != o.operand
	case setIfDeq:
		return exists && digest(old) == strings.ToLower(o.operand)
	case setIfDne:
		return !exists || digest(old) != strings.ToLower(o.operand)
	}
	return true
}

// digest is what DIGEST replies: XXH3-64 in 16 hex digits.
func digest(s string) string { return fmt.Sprintf("%016x", xxh3.HashString(s)) }

const errDigest Error = "ERR digest must be exactly 16 hexadecimal characters"

// parseSet reads SET's options. Of one given twice the last counts.
func parseSet(args []string, now int64) (setOptions, error) {
	var o setOptions
	var unit, amount string
	for i := 3; i < len(args); i++ {
		word := strings.ToLower(args[i])
		more := i+1 < len(args)
		switch {
		case word == "nx" && (o.cond == setAlways || o.cond == setNX):
			o.cond = setNX
		case word == "xx" && (o.cond == setAlways || o.cond == setXX):
			o.cond = setXX
		case setConds[word] != 0 && o.cond == setAlways && more:
			i++
			o.cond, o.operand = setConds[word], args[i]
		case word == "get":
			o.get = true
		case word == "keepttl" && unit == "":
			o.keepTTL = true
		case isExpiryUnit(word) && (unit == "" || unit == word) && !o.keepTTL && more:
			i++
			unit, amount = word, args[i]
		default:
			return o, ErrSyntax
		}
	}
	if (o.cond == setIfDeq || o.cond == setIfDne) && len(o.operand) != 16 {
		return o, errDigest
	}
	if unit != "" {
		at, err := parseExpireAt("set", unit, amount, now)
		if err != nil {
			return o, err
		}
		o.at = at
	}
	return o, nil
}

var setConds = map[string]setCond{"ifeq": setIfEq, "ifne": setIfNe, "ifdeq": setIfDeq, "ifdne": setIfDne}

// getexOptions are the options of GETEX.
type getexOptions struct {
	persist      bool
	unit, amount string // "" if the expiry is to stay
}

// parseGetex reads GETEX's options. Of one given twice the last counts. The amount is looked at later: Redis does so
// only if there is such a key.
func parseGetex(args []string) (getexOptions, error) {
	var o getexOptions
	for i := 2; i < len(args); i++ {
		word := strings.ToLower(args[i])
		switch {
		case word == "persist" && o.unit == "":
			o.persist = true
		case isExpiryUnit(word) && (o.unit == "" || o.unit == word) && !o.persist && i+1 < len(args):
			i++
			o.unit, o.amount = word, args[i]
		default:
			return o, ErrSyntax
		}
	}
	return o, nil
}

// at is the time asked for, in Unix ms; 0 if none.
func (o getexOptions) at(now int64) (int64, error) {
	if o.unit == "" {
		return 0, nil
	}
	return parseExpireAt("getex", o.unit, o.amount, now)
}

func isExpiryUnit(word string) bool {
	return word == "ex" || word == "px" || word == "exat" || word == "pxat"
}

// parseExpireAt reads the amount of an EX, PX, EXAT or PXAT option and returns the time in Unix ms.
// The name of the command is for the error text.
func parseExpireAt(name, unit, amount string, now int64) (int64, error) {
	n, ok := num.ParseInt(amount)
	if !ok {
		return 0, ErrNotInteger
	}
	if n <= 0 {
		return 0, errExpire(name)
	}
	if unit == "ex" || unit == "exat" {
		if n > math.MaxInt64/1000 {
			return 0, errExpire(name)
		}
		n *= 1000
	}
	if unit == "ex" || unit == "px" {
		if n > math.MaxInt64-now {
			return 0, errExpire(name)
		}
		n += now
	}
	return n, nil
}

// parseRelative reads the time of SETEX and PSETEX.
func parseRelative(name, amount string, now int64) (int64, error) {
	unit := "ex"
	if name == "psetex" {
		unit = "px"
	}
	return parseExpireAt(name, unit, amount, now)
}
