package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

func newMan() *cobra.Command {
	return &cobra.Command{
		Use:     "man",
		Short:   "Print the manual page",
		Example: "  skystash man | man -l -",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			printMan(cmd.OutOrStdout(), cmd.Root())
			return nil
		},
	}
}

// printMan writes one manual page about all commands, in the language of man(7).
func printMan(w io.Writer, root *cobra.Command) {
	fmt.Fprintf(w, ".TH SKYSTASH 1 \"\" \"skystash %s\" \"User Commands\"\n", roff(root.Version))
	fmt.Fprintf(w, ".SH NAME\nskystash \\- %s\n", roff(root.Short))
	fmt.Fprintf(w, ".SH SYNOPSIS\n.B skystash\n.I command\n[flags]\n")
	fmt.Fprintf(w, ".SH DESCRIPTION\n%s\n.SH COMMANDS\n", roff(root.Long))
	walk(root, func(c *cobra.Command) {
		fmt.Fprintf(w, ".SS %s\n%s.\n", roff(c.Parent().CommandPath()+" "+c.Use), roff(c.Short))
		if c.Long != "" && !c.HasSubCommands() {
			fmt.Fprintf(w, ".PP\n%s\n", roff(c.Long))
		}
		c.LocalFlags().VisitAll(func(f *pflag.Flag) { printFlag(w, f) })
		if c.Example != "" {
			fmt.Fprintf(w, ".PP\n.nf\n%s\n.fi\n", roff(c.Example))
		}
	})
	fmt.Fprint(w, ".SH EXIT STATUS\n0 if all went well, 1 if a command has failed, 2 for bad flags or arguments.\n")
}

func printFlag(w io.Writer, f *pflag.Flag) {
	if f.Hidden || f.Name == "help" {
		return
	}
	value, usage := pflag.UnquoteUsage(f)
	name := "--" + f.Name
	if f.Shorthand != "" {
		name = "-" + f.Shorthand + ", " + name
	}
	fmt.Fprintf(w, ".TP\n\\fB%s\\fR", roff(name))
	if value != "" {
		fmt.Fprintf(w, " \\fI%s\\fR", roff(value))
	}
	fmt.Fprintf(w, "\n%s", roff(usage))
	if f.DefValue != "" && f.DefValue != "false" && f.DefValue != "[]" {
		fmt.Fprintf(w, " (default: %s)", roff(f.DefValue))
	}
	fmt.Fprintln(w)
}

// walk visits the commands that help lists, parents first.
func walk(c *cobra.Command, visit func(*cobra.Command)) {
	for _, sub := range c.Commands() {
		if sub.IsAvailableCommand() {
			visit(sub)
			walk(sub, visit)
		}
	}
}

// roff escapes a text.
func roff(text string) string {
	text = strings.NewReplacer(`\`, `\e`, `-`, `\-`).Replace(text)
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, ".") || strings.HasPrefix(line, "'") {
			lines[i] = `\&` + line
		}
	}
	return strings.Join(lines, "\n")
}
