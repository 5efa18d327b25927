// Package settings reads the settings of a function from its environment.
package settings

import (
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"os"

	"github.com/skystash/skystash/pkg/meter"
)

// Environment reads a function's settings from environment variables, and collects
// what is missing or wrong, so that all of it is reported at once.
type Environment struct {
	Getenv   func(string) string
	problems []error
	writer   *meter.Writer // nil: none
}

// Get reads a variable that may be missing.
func (e *Environment) Get(name string) string { return e.Getenv(name) }

// Require reads a variable that must be set; the purpose is for who forgot it.
func (e *Environment) Require(name, purpose string) string {
	value := e.Getenv(name)
	if value == "" {
		e.problems = append(e.problems, fmt.Errorf("environment variable %s is not set: %s", name, purpose))
	}
	return value
}

// Fault notes what is wrong with a variable.
func (e *Environment) Fault(name string, err error) {
	e.problems = append(e.problems, fmt.Errorf("environment variable %s: %w", name, err))
}

// With lets read see an environment in which one variable has another value. Problems that it notes
// are noted here.
func (e *Environment) With(name, value string, read func(*Environment)) {
	inner := &Environment{Getenv: func(asked string) string {
		if asked == name {
			return value
		}
		return e.Getenv(asked)
	}}
	read(inner)
	e.problems = append(e.problems, inner.problems...)
}

// LogLevel reads LOG_LEVEL: debug, info, warn or error; not set: info.
func (e *Environment) LogLevel() (level slog.Level) {
	if text := e.Getenv("LOG_LEVEL"); text != "" {
		if err := level.UnmarshalText([]byte(text)); err != nil {
			e.Fault("LOG_LEVEL", fmt.Errorf("%q is none of debug, info, warn and error", text))
		}
	}
	return level
}

// Meter reads METER: with "lines", lines in the log say what requests have used, for functions/meter; not
// set: nothing does. What is held back of them is written by EndMeter.
func (e *Environment) Meter() meter.Recorder {
	switch mode := e.Get("METER"); mode {
	case "":
	case "lines":
		e.writer = meter.NewWriter(os.Stdout, rand.Text())
		return e.writer
	default:
		e.Fault("METER", fmt.Errorf("%q is not lines", mode))
	}
	return nil
}

// EndMeter is to be called when the process is about to end; nil: there is nothing to do then.
func (e *Environment) EndMeter() func() {
	if e.writer == nil {
		return nil
	}
	return e.writer.Flush
}

// Err is everything that was missing or wrong, nil if nothing was.
func (e *Environment) Err() error { return errors.Join(e.problems...) }
