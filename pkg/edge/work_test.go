package edge_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/skystash/skystash/pkg/edge"
)

// FuzzReader: what is read is the same JSON, or as invalid, and has no two characters of white space in a row but in strings.
func FuzzReader(f *testing.F) {
	for _, text := range []string{"", " ", `[1 , 2 ]`, "{\t\t\"a  b\" :\r\n [ ] }", `1  2`, `"\"  \\"  , "  `, `"\\`, `tr  ue`} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		work := edge.WorkOf(context.Background())
		got, err := io.ReadAll(work.Reader([]byte(text)))
		if err != nil {
			t.Fatal(err)
		}
		if bytewise, err := io.ReadAll(iotest.OneByteReader(work.Reader([]byte(text)))); err != nil || !bytes.Equal(bytewise, got) {
			t.Fatalf("%q is read as %q, and by bytes as %q, %v", text, got, bytewise, err)
		}
		valid := json.Valid([]byte(text))
		if json.Valid(got) != valid {
			t.Fatalf("%q is read as %q", text, got)
		}
		if !valid {
			return
		}
		var want, have bytes.Buffer
		if json.Compact(&want, []byte(text)) != nil || json.Compact(&have, got) != nil || want.String() != have.String() {
			t.Fatalf("%q is read as %q", text, got)
		}
	})
}

// TestWhiteSpaceIsNotReadAgainAndAgain: 32 MB of it reach a decoder as a few characters.
func TestWhiteSpaceIsNotReadAgainAndAgain(t *testing.T) {
	gap := strings.Repeat(" \n\t\r", 4<<20)
	text := "[" + gap + `"  "` + gap + "]"
	got, err := io.ReadAll(edge.WorkOf(t.Context()).Reader([]byte(text)))
	if err != nil || string(got) != `[ "  " ]` {
		t.Errorf("%q, %v", got, err)
	}
}
