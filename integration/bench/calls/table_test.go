package calls

import (
	"bytes"
	"fmt"
	"strings"
)

// row is a line of the table.
type row struct {
	what   string // the command
	before string
	cost
}

// table is the text of CALLS.md as it grows.
type table struct{ bytes.Buffer }

func (t *table) text(s string) { fmt.Fprintf(t, "%s\n\n", strings.TrimSpace(s)) }

// section writes rows under a title. The columns' names are those of what and
// before; without the latter, the rows have none.
func (t *table) section(title, what, before string, rows []row) {
	t.text("## " + title)
	head := []string{what, before, "calls", "requests to DynamoDB", "RRU", "WRU", "$ per million"}
	align := []string{"---", "---", "--:", "---", "--:", "--:", "--:"}
	line := func(cells []string) {
		if before == "" {
			cells = append(cells[:1:1], cells[2:]...)
		}
		fmt.Fprintf(t, "| %s |\n", strings.Join(cells, " | "))
	}
	line(head)
	line(align)
	for _, r := range rows {
		line([]string{r.what, r.before, fmt.Sprint(r.calls()), describe(r.requests), number(r.reads), number(r.writes), fmt.Sprintf("%.3f", dollarsPerMillion(r.reads, r.writes))})
	}
	t.WriteString("\n")
}

func number(units float64) string {
	if units == 0 {
		return ""
	}
	return fmt.Sprint(units)
}

// describe lists requests, those of one kind together.
func describe(requests []request) string {
	type kind struct {
		op      string
		refused bool
	}
	var order []kind
	count, items := map[kind]int{}, map[kind]int{}
	for _, r := range requests {
		k := kind{r.op, r.refused}
		if count[k] == 0 {
			order = append(order, k)
		}
		count[k]++
		items[k] += r.items
	}
	var parts []string
	for _, k := range order {
		s := k.op
		if n := count[k]; n > 1 {
			s = fmt.Sprintf("%d × %s", n, s)
		}
		if n := items[k]; n > 0 {
			s += fmt.Sprintf(" of %d", n)
		}
		if k.refused {
			s += " (condition not met)"
		}
		parts = append(parts, s)
	}
	return strings.Join(parts, ", ")
}

// difference lists the lines that only one of two texts has, "" if they are equal.
func difference(file, measured string) string {
	if file == measured {
		return ""
	}
	left := map[string]int{}
	for line := range strings.Lines(measured) {
		left[line]++
	}
	var b strings.Builder
	for line := range strings.Lines(file) {
		if left[line]--; left[line] < 0 {
			b.WriteString("- " + line)
		}
	}
	have := map[string]int{}
	for line := range strings.Lines(file) {
		have[line]++
	}
	for line := range strings.Lines(measured) {
		if have[line]--; have[line] < 0 {
			b.WriteString("+ " + line)
		}
	}
	if b.Len() == 0 {
		return "the lines are in another order\n"
	}
	return b.String()
}
