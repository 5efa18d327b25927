package kafka

import (
	"bytes"
	"compress/flate"
	"encoding/json"
	"io"
	"strings"
)

// encodeMembers is the members' JSON, compressed if that makes it smaller. Each call of each instance
// reads and writes the group's item, which costs a unit for each KiB of it; the JSON of many members
// has the same words over and over. A text that begins with '[' is not compressed.
func encodeMembers(members []member) (string, error) {
	text, err := json.Marshal(members)
	if err != nil {
		return "", err
	}
	var small bytes.Buffer
	w, err := flate.NewWriter(&small, flate.BestSpeed)
	if err != nil {
		return "", err
	}
	small.WriteByte(compressed)
	if _, err := w.Write(text); err != nil {
		return "", err
	}
	if err := w.Close(); err != nil {
		return "", err
	}
	if small.Len() < len(text) {
		return small.String(), nil
	}
	return string(text), nil
}

// compressed is the first byte of members that are.
const compressed = 1

// decodeMembers reads what encodeMembers has written; "" are no members.
func decodeMembers(text string) (members []member, err error) {
	if text == "" {
		return nil, nil
	}
	var from io.Reader = strings.NewReader(text)
	if text[0] == compressed {
		from = flate.NewReader(strings.NewReader(text[1:]))
	}
	err = json.NewDecoder(from).Decode(&members)
	return members, err
}
