package calls

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// preface is what stands above the tables.
func preface() string {
	return fmt.Sprintf(`
# What commands cost on DynamoDB

Written by %[1]sgo test ./integration/bench/calls -update%[1]s and checked by the same test without the flag,
which is part of %[1]sgo test ./...%[1]s. See [README.md](README.md).

**Calls** are requests that are really sent to DynamoDB; the next column names them. **RRU** and **WRU** are read and
write request units as AWS bills them: DynamoDB Local, on which this is measured, charges nothing for missing items
of a batch, for empty ranges and for conditions that are not met, and too little for transactions. **$ per million** is
the list price of a million such commands in us-east-1, on demand, Standard table class: $%[2]v for a million RRU and
$%[3]v for a million WRU, in force since %[4]s
(<%[5]s>). Lambda, API Gateway, storage and transfer are not in it.

What is measured is the steady state: connections and the database's record are there. An instance of the function
reads the record again if it is more than a second old (1 RRU), and the keys that tokens are signed with if they are
more than four (1 RRU), both in one call with the keys that the request reads. What that looks like is under
"Instances that were idle". A write needs the record first: nothing may be written before it is known that the token
was not revoked. The key is %[1]sk%[1]s; values are a few bytes
long unless something else is said.

## Beside a peer

The nearest peer, [redimos](https://github.com/aura-studio/redimos), a RESP server over DynamoDB, makes for

| | redimos: calls, one after the other | Skystash: calls |
| --- | --: | --: |
| SET | 4 | 1 |
| GET | 2 | 1 |
| MGET of 10 keys | 11 | 1 |

## Goals

One call, of one key:
%[6]s;
and MGET and MSET of 10 keys. ZADD is meant without flags. Every other command of one key: at most %[7]d calls.
No command of one key takes a transaction, and every request costs the least that DynamoDB charges for it.
What does not keep to this:

%[8]s`,
		"`", dollarsPerMillionReads, dollarsPerMillionWrites, priceSince, pricePage,
		strings.ToUpper(wrap(strings.Join(oneCall[:len(oneCall)-2], ", "))), otherCalls, listExceptions())
}

// listExceptions lists the rows that miss their goals, by reason.
func listExceptions() string {
	byReason := map[string][]string{}
	for _, key := range slices.Sorted(maps.Keys(exceptions)) {
		before, cmd, _ := strings.Cut(key, ": ")
		e := exceptions[key]
		byReason[e.why] = append(byReason[e.why], fmt.Sprintf("%s (%s): %d calls", cmd, before, e.calls))
	}
	var b strings.Builder
	for _, why := range slices.Sorted(maps.Keys(byReason)) {
		fmt.Fprintf(&b, "- %s. Because %s.\n", strings.Join(byReason[why], "; "), why)
	}
	return b.String()
}

// wrap breaks a text into lines.
func wrap(text string) string {
	const width = 110
	var b strings.Builder
	column := 0
	for i, word := range strings.Fields(text) {
		switch {
		case i == 0:
		case column+len(word) >= width:
			b.WriteByte('\n')
			column = 0
		default:
			b.WriteByte(' ')
			column++
		}
		b.WriteString(word)
		column += len(word)
	}
	return b.String()
}
