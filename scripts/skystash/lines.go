package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"
)

// exportLine is a line of an export of QStash or Kafka: one thing, in the JSON of the product's API.
type exportLine struct {
	Kind  string          `json:"kind"`
	Value json.RawMessage `json:"value"`
}

// exportLines writes what read gives to the file that --out names, and counts it by kinds.
func exportLines(cmd *cobra.Command, out string, read func(each func(exportLine) error) error) (count map[string]int, err error) {
	count = map[string]int{}
	return count, toFile(out, cmd.OutOrStdout(), func(w io.Writer) error {
		lines := json.NewEncoder(w)
		lines.SetEscapeHTML(false)
		return read(func(line exportLine) error {
			count[line.Kind]++
			return lines.Encode(line)
		})
	})
}

// readLines reads a file of an export.
func readLines(name string, each func(exportLine) error) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	d := json.NewDecoder(bufio.NewReader(f))
	for n := 1; ; n++ {
		var line exportLine
		if err := d.Decode(&line); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("%s, entry %d: %w", name, n, err)
		}
		if err := each(line); err != nil {
			return fmt.Errorf("%s, entry %d: %w", name, n, err)
		}
	}
}
