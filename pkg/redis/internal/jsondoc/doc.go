// Package jsondoc holds JSON documents as the JSON.* commands see them: values that are
// read, changed in place and written back, and the paths that choose among them.
//
// # Values
//
// [Parse] makes a [Value] of a JSON text, [Value.AppendTo] writes it again. Members keep
// their order. A number keeps the text it was written with, so nothing is lost on the
// way through a document; only arithmetic ([NumOp]) makes new ones, exact for 64-bit
// integers.
//
// A text of n bytes takes up to about 16n bytes of memory as a document (an array of digits is
// the worst), some three times that while it is read, and may be nested [MaxDepth] levels deep.
//
// # Paths
//
// [ParsePath] knows the JSONPath dialect of RedisJSON (https://redis.io/docs/latest/develop/data-types/json/path/):
//
//	$                     the document
//	.name ['name'] ["name"]  a member; unquoted names are of letters, digits, - _ ` ~ + # % $ ^ / : and all beyond ASCII
//	[2] [-1]              an element, also from the end
//	[1:5] [:5] [1:] [::2] a slice
//	.* [*]                all children
//	[1,'name',*]          several of these
//	..                    in front of any of them, the brackets included: here and anywhere below
//	[?(@.a > 1)]          children that meet a condition; the parentheses may be left out
//
// In conditions there are == != < <= > >=, =~ (a regular expression as of package regexp, anywhere in a string),
// && || ! and parentheses. Operands are paths from the child (@) or the document ($), and literals: numbers,
// strings, true, false, null. An operand by itself asks whether the path matches anything.
// A path that does not match exactly one value, and values of different types, are unequal and
// have no order.
//
// A path that does not begin with $. or $[, and is not $ itself, is a legacy path: its $ is implied, its first dot may
// be missing, and . is the document.
//
// It is an own parser because RFC 9535, which the Go libraries follow, has other names, no
// =~ and no legacy paths.
//
// Matches come in document order, except that what .. finds below a value comes before what it
// finds there: {"a":1,"b":{"a":2}} has for $..a 2, then 1. That is how the
// service we imitate answers (RedisJSON has it the other way round), and it makes every value come after all below
// it that match, so that matches can be changed one after the other.
//
// Paths come from clients: their length, nesting and the work that they cause are bounded.
package jsondoc
