package calls

import (
	"fmt"
	"strings"
)

// names are the keys of many strings, pairs the arguments with which MSET makes them.
func names(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "key%04d ", i)
	}
	return strings.TrimSpace(b.String())
}

func pairs(n int) string { return pairsFrom(0, n) }

func pairsFrom(first, n int) string {
	var b strings.Builder
	for i := first; i < first+n; i++ {
		fmt.Fprintf(&b, "key%04d value%04d ", i, i)
	}
	return strings.TrimSpace(b.String())
}

// repeat is a command with %d in it for each number below n.
func repeat(n int, format string) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprintf(format, i)
	}
	return out
}

// split takes a command line apart. "<1MiB>" in it is a value of that size, "<library>" a library of functions.
func split(line string) []string {
	args := strings.Fields(line)
	for i, a := range args {
		switch a {
		case "<1MiB>":
			args[i] = strings.Repeat("x", 1<<20)
		case "<library>":
			args[i] = library
		}
	}
	return args
}

// shorten is a command line as the table has it: of many keys, the first and their number.
func shorten(line string) string {
	words := strings.Fields(line)
	first := -1
	for i, w := range words {
		if strings.HasPrefix(w, "key") {
			first = i
			break
		}
	}
	if first < 0 || len(words)-first < 5 {
		return line
	}
	keys := 0
	for _, w := range words[first:] {
		if strings.HasPrefix(w, "key") {
			keys++
		}
	}
	return fmt.Sprintf("%s … (%d keys)", strings.Join(words[:first], " "), keys)
}
