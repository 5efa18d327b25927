package console

import (
	"slices"
	"strings"
)

// separator is what parts of keys' names are told apart by.
const separator = ":"

// prefixRow is what several keys of a page begin with.
type prefixRow struct {
	Name  string // on one line, such as "user:"
	Count int    // of the page's keys
	URL   string
}

// prefixes are what keys of a page begin with, up to the next separator behind what all of them are known to begin with. One
// that a single key has is none. The most frequent ones come first, maxPrefixes at most.
func prefixes(names []string, under string) (list []prefixRow) {
	counts := map[string]int{}
	for _, name := range names {
		rest, ok := strings.CutPrefix(name, under)
		if i := strings.Index(rest, separator); ok && i >= 0 {
			counts[under+rest[:i+len(separator)]]++
		}
	}
	for _, name := range sortedKeys(counts) {
		if counts[name] > 1 {
			list = append(list, prefixRow{Name: name, Count: counts[name]})
		}
	}
	slices.SortStableFunc(list, func(a, b prefixRow) int { return b.Count - a.Count })
	return list[:min(len(list), maxPrefixes)]
}

// maxPrefixes bounds the prefixes that a page shows.
const maxPrefixes = 12

// globEscape makes a pattern of a text that matches it alone.
var globEscape = strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`, `]`, `\]`)

// prefixOf is the text that a pattern of the form text* stands for, and "" of others.
func prefixOf(match string) string {
	text, ok := strings.CutSuffix(match, "*")
	if !ok {
		return ""
	}
	var plain strings.Builder
	for i := 0; i < len(text); i++ {
		switch c := text[i]; c {
		case '*', '?', '[', ']':
			return ""
		case '\\':
			if i++; i == len(text) {
				return ""
			}
			plain.WriteByte(text[i])
		default:
			plain.WriteByte(c)
		}
	}
	return plain.String()
}

// above is the prefix that one is under, "" of the highest.
func above(prefix string) string {
	i := strings.LastIndex(strings.TrimSuffix(prefix, separator), separator)
	return prefix[:i+1]
}

// addPrefixes shows what the keys of a page begin with, as links that list these alone.
func (r *request) addPrefixes(p *browserPage) {
	names := make([]string, len(p.Rows))
	for i := range p.Rows {
		names[i] = p.Rows[i].Name
	}
	under := prefixOf(p.Match)
	for _, row := range prefixes(names, under) {
		if row.Name == under {
			continue
		}
		row.URL = r.browserURL("match", globEscape.Replace(row.Name)+"*", "type", p.Type)
		row.Name = line(row.Name)
		p.Prefixes = append(p.Prefixes, row)
	}
	if strings.HasSuffix(under, separator) {
		p.Under = line(under)
		match := ""
		if parent := above(under); parent != "" {
			match = globEscape.Replace(parent) + "*"
		}
		p.Up = r.browserURL("match", match, "type", p.Type)
	}
}
