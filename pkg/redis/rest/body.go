package rest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/skystash/skystash/pkg/redis"
)

// bodyParser reads commands from JSON. It can be used again and again.
type bodyParser struct {
	src  bytes.Buffer // what dec reads
	dec  jsontext.Decoder
	args []string    // of the command being read
	turn *redis.Turn // of the request, which counts the arguments
}

// What an argument of a command takes besides its bytes, and how many are read before they are counted.
const (
	argMemory = 32
	argsRun   = 1024
)

// command reads a body that is one command.
func (p *bodyParser) command(body []byte) ([]string, error) {
	if err := p.start(body); err != nil {
		return nil, err
	}
	args, err := p.array()
	if err != nil {
		return nil, err
	}
	return args, p.end()
}

// commands reads a body that is an array of commands.
func (p *bodyParser) commands(body []byte) ([][]string, error) {
	if err := p.start(body); err != nil {
		return nil, err
	}
	var cmds [][]string
	for p.dec.PeekKind() != ']' {
		if len(cmds) == redis.DefaultBudget.Commands { // before they take more memory
			return nil, badRequest(fmt.Sprintf("ERR max number of commands exceeded. Limit: %d", len(cmds)))
		}
		if err := p.openArray(); err != nil {
			return nil, err
		}
		args, err := p.array()
		if err != nil {
			return nil, err
		}
		cmds = append(cmds, args)
	}
	if _, err := p.dec.ReadToken(); err != nil {
		return nil, errInvalidJSON
	}
	if len(cmds) == 0 {
		return nil, errEmptyCommand
	}
	return cmds, p.end()
}

// start begins a body, which must be an array.
func (p *bodyParser) start(body []byte) error {
	// Bytes that are not UTF-8 are not JSON. Escaped halves of surrogate pairs
	// are; like everywhere else on the web they become U+FFFD, which is what the
	// decoder's option is for.
	if !utf8.Valid(body) {
		return errInvalidJSON
	}
	p.src = *bytes.NewBuffer(body)
	p.dec.Reset(&p.src, jsontext.AllowInvalidUTF8(true))
	return p.openArray()
}

// openArray reads '[', which is all that may come.
func (p *bodyParser) openArray() error {
	t, err := p.dec.ReadToken()
	switch {
	case errors.Is(err, io.EOF) && p.dec.StackDepth() == 0:
		return errNoBody
	case err != nil:
		return errInvalidJSON
	case t.Kind() != '[':
		return errNotArray
	}
	return nil
}

// array reads the arguments of a command up to the ']' behind them.
func (p *bodyParser) array() ([]string, error) {
	p.args = p.args[:0]
	defer func() { clear(p.args) }()
	for {
		t, err := p.dec.ReadToken()
		if err != nil {
			return nil, errInvalidJSON
		}
		switch t.Kind() {
		case '"', '0', 't', 'f':
			p.args = append(p.args, t.String()) // a number's own text
			if len(p.args)%argsRun == 0 {
				if err := p.turn.Hold(argsRun * argMemory); err != nil {
					return nil, badRequest(err.Error())
				}
			}
		case ']':
			if len(p.args) == 0 {
				return nil, errEmptyCommand
			}
			if err := p.turn.Hold(int64(len(p.args)%argsRun) * argMemory); err != nil {
				return nil, badRequest(err.Error())
			}
			// The engine may keep the arguments after the request. p.args is used again.
			return slices.Clone(p.args), nil
		case 'n':
			return nil, errNullArg
		case '[':
			return nil, errArrayArg
		default:
			return nil, errObjectArg
		}
	}
}

// end makes sure that nothing follows.
func (p *bodyParser) end() error {
	if _, err := p.dec.ReadToken(); !errors.Is(err, io.EOF) {
		return errInvalidJSON
	}
	return nil
}
