package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"github.com/skystash/skystash/pkg/redis/transfer"
	"github.com/skystash/skystash/scripts/atomicfile"
)

// saveEvery is how often an import writes down how far it is.
const saveEvery = 200 * time.Millisecond

// stateFile remembers how far an import is. It has no passwords.
type stateFile struct {
	name string

	From  string `json:"from"`
	To    string `json:"to"`
	Match string `json:"match"`
	DB    int    `json:"db"`
	Place string `json:"place"`
	Keys  int64  `json:"keys"`
}

// load reads the file, if there is one, which must be of the same import.
func (s *stateFile) load() error {
	if s.name == "" {
		return nil
	}
	text, err := os.ReadFile(s.name)
	if errors.Is(err, fs.ErrNotExist) {
		return s.save() // now, not after the first minutes, if it cannot be written
	}
	if err != nil {
		return err
	}
	old := stateFile{name: s.name}
	if err := json.Unmarshal(text, &old); err != nil {
		return fmt.Errorf("%s is no state of an import: %w", s.name, err)
	}
	if old.From != s.From || old.To != s.To || old.Match != s.Match || old.DB != s.DB {
		return misuse{fmt.Errorf("%s is the state of an import from %s to %q: name another file, or delete it to begin anew", s.name, old.From, old.To)}
	}
	*s = old
	return nil
}

// save replaces the file in one step.
func (s *stateFile) save() error {
	if s.name == "" {
		return nil
	}
	text, err := json.Marshal(s)
	if err != nil {
		return err
	}
	return atomicfile.Write(s.name, func(w io.Writer) error {
		_, err := w.Write(append(text, '\n'))
		return err
	})
}

// saver keeps the place in mind and writes it down now and then: what was done since is repeated, and does no harm.
func (s *stateFile) saver() func(string, transfer.Stats) error {
	var saved time.Time
	before := s.Keys
	return func(place string, stats transfer.Stats) error {
		s.Place, s.Keys = place, before+stats.Keys
		if now := time.Now(); now.Sub(saved) >= saveEvery {
			saved = now
			return s.save()
		}
		return nil
	}
}
