package calls

import (
	"fmt"
	"math/rand/v2"
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

// split takes a command line apart. "<1MiB>" in it is a value of that size, and "<10KB>" one that is smaller, which do not
// compress; "<10KB-JSON>" is a document that does, and "<library>" a library of functions.
func split(line string) []string {
	args := strings.Fields(line)
	for i, a := range args {
		switch a {
		case "<1MiB>":
			args[i] = noise(1 << 20)
		case "<10KB>":
			args[i] = noise(10_000)
		case "<10KB-JSON>":
			args[i] = document(10_000)
		case "<library>":
			args[i] = library
		}
	}
	return args
}

// noise are n bytes that do not compress, always the same ones.
func noise(n int) string {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{1}).Read(b)
	return string(b)
}

// document is a JSON text of about n bytes, as applications have them, always the same one. It has no blanks.
func document(n int) string {
	r := rand.New(rand.NewPCG(1, 2))
	b := []byte(`{"items":[`)
	for i := 0; len(b) < n-100; i++ {
		if i > 0 {
			b = append(b, ',')
		}
		b = fmt.Appendf(b, `{"id":%d,"name":"customer-%d","email":"user%d@example.com","active":%t,"balance":%.2f}`, r.IntN(1e6), r.IntN(1000), r.IntN(1e5), r.IntN(2) == 0, r.Float64()*1000)
	}
	return string(append(b, "]}"...))
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
