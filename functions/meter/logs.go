package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// maxUnpacked bounds a record when it is unpacked; packed, it has 1 MiB at most. CloudWatch
// Logs sends batches of a few hundred kilobytes.
const maxUnpacked = 32 << 20

// logData is what a subscription of CloudWatch Logs sends
// (docs.aws.amazon.com/AmazonCloudWatch/latest/logs/SubscriptionFilters.html).
type logData struct {
	MessageType string `json:"messageType"` // DATA_MESSAGE, or CONTROL_MESSAGE when it tries whether anybody is there
	LogEvents   []struct {
		Message string `json:"message"`
	} `json:"logEvents"`
}

// logLines are the lines in a record: one JSON document, or several, packed with gzip.
func logLines(data []byte) ([]string, error) {
	unpacked, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("unpacking: %w", err)
	}
	limited := &io.LimitedReader{R: unpacked, N: maxUnpacked}
	d := json.NewDecoder(limited)
	var lines []string
	for {
		var doc logData
		err := d.Decode(&doc)
		switch {
		case limited.N == 0:
			return lines, fmt.Errorf("more than %d bytes", maxUnpacked)
		case errors.Is(err, io.EOF):
			return lines, nil
		case err != nil:
			return lines, fmt.Errorf("decoding: %w", err)
		case doc.MessageType != "DATA_MESSAGE":
			continue
		}
		for _, e := range doc.LogEvents {
			lines = append(lines, e.Message)
		}
	}
}
