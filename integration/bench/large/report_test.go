package large

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// result compares a large collection with a smaller one.
type result struct {
	store string
	collection
	small, large measured
}

// pagingSlack is how much more memory paging through the large collection may take:
// pages of it are of the same size, but garbage comes in waves.
const pagingSlack = 16 << 20

// check fails the test where the size matters though it should not.
func (r result) check(t *testing.T) {
	t.Helper()
	for _, line := range lines(r.commands) {
		small, large := r.small.commands[line], r.large.commands[line]
		if large.calls > small.calls || large.refused != "" {
			t.Errorf("%s: %d calls of %d elements, %d of %d (%s)", line, large.calls, r.large.size, small.calls, r.small.size, large.refused)
		}
	}
	if large, small := r.large.paging.heap, r.small.paging.heap; large > small+pagingSlack {
		t.Errorf("reading in pages takes %s of memory for %d elements, %s for %d", size(large), r.large.size, size(small), r.small.size)
	}
	if r.large.del.calls != r.small.del.calls {
		t.Errorf("DEL: %d calls of %d elements, %d of %d", r.large.del.calls, r.large.size, r.small.del.calls, r.small.size)
	}
}

func report(results []result) string {
	var b strings.Builder
	n, m := results[0].large.size, results[0].small.size
	fmt.Fprintf(&b, `# Large collections

Written by `+"`go test ./integration/bench/large -elements %d -stores %s -update -timeout 3h`"+`
(%s/%s, %s); `+"`go test ./...`"+` checks the same on smaller ones. See [README.md](README.md).

Each collection has %s elements under one key; beside each number, after the slash, the same for %s elements. **Calls** are those of the store; of
several tries on different elements, the dearest counts. **RRU** and **WRU** are DynamoDB's request units, which the embedded store
reckons by DynamoDB's rules, as its conformance suite checks.

`, n, *stores, runtime.GOOS, runtime.GOARCH, runtime.Version(), thousands(n), thousands(m))
	for _, r := range results {
		if r.store != results[len(results)-1].store {
			continue // the same calls
		}
		fmt.Fprintf(&b, "## %s\n\n| command | calls | RRU | WRU |\n| --- | --: | --: | --: |\n", strings.ToUpper(r.name[:1])+r.name[1:])
		for _, line := range lines(r.commands) {
			r.row(&b, line, r.large.commands[line], r.small.commands[line])
		}
		r.row(&b, "DEL k", r.large.del, r.small.del)
		if more := growing(r.name); len(more) > 0 {
			b.WriteString("\nThese do depend on the size:\n\n| command | calls | RRU | WRU |\n| --- | --: | --: | --: |\n")
			for _, line := range more {
				r.row(&b, line, r.large.commands[line], r.small.commands[line])
			}
		}
		b.WriteByte('\n')
	}
	b.WriteString(`## Memory

How much the process's memory grew at most: while the collection was read in pages of ` + thousands(pageSize) + ` elements; while one command asked for
all of it, which is refused once the reply passes its limit; and while what DEL left behind was reclaimed.

| | store | in pages | pages | calls for one | all at once | calls | answer | reclaimed | items | calls |
| --- | --- | --: | --: | --: | --: | --: | --- | --: | --: | --: |
`)
	for _, r := range results {
		for _, x := range []measured{r.large, r.small} {
			answer := size(uint64(x.all.reply))
			if x.all.refused != "" {
				answer = "refused"
			}
			fmt.Fprintf(&b, "| %s of %s | %s | %s | %d | %d | %s | %d | %s | %s | %d | %d |\n", r.name, thousands(x.size), r.store,
				size(x.paging.heap), x.pages, x.paging.calls, size(x.all.heap), x.all.calls, answer, size(x.reclaim.heap), x.items, x.reclaim.calls)
		}
	}
	if i := slices.IndexFunc(results, func(r result) bool { return r.large.all.refused != "" }); i >= 0 {
		fmt.Fprintf(&b, "\nThe refusal: `%s`\n", results[i].large.all.refused)
	}
	return b.String()
}

func (r result) row(b *strings.Builder, line string, large, small cost) {
	fmt.Fprintf(b, "| %s | %d / %d | %v / %v | %v / %v |\n", line, large.calls, small.calls, large.reads, small.reads, large.writes, small.writes)
}

func thousands(n int) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

func size(bytes uint64) string {
	if bytes < 100<<10 {
		return fmt.Sprintf("%.1f KiB", float64(bytes)/1024)
	}
	return fmt.Sprintf("%.1f MiB", float64(bytes)/(1<<20))
}
