package lambdahttp

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
)

func TestResponseOverLambdasLimit(t *testing.T) {
	const limit = MaxResponseBytes - envelopeBytes
	tests := []struct {
		name, contentType, body string
		wantRefused             bool
	}{
		{"text that just fits", "text/plain", strings.Repeat("a", limit), false},
		{"text that does not", "text/plain", strings.Repeat("a", limit+1), true},
		{"text that does not once it is escaped", "application/json", strings.Repeat(`"`, limit/2+1), true},
		{"octets that just fit", "application/octet-stream", strings.Repeat("a", limit/4*3), false},
		{"octets that do not in base64", "application/octet-stream", strings.Repeat("a", limit/4*3+1), true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			resp, _ := ask(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", tt.contentType)
				io.WriteString(w, tt.body)
			}, event(http.MethodGet, urlDomain, "/", ""))
			if refused := resp.StatusCode == http.StatusRequestEntityTooLarge; refused != tt.wantRefused {
				t.Fatalf("status %d", resp.StatusCode)
			}
			if tt.wantRefused && !strings.HasPrefix(resp.Body, `{"error":"ERR max request size exceeded.`) {
				t.Errorf("body %q", resp.Body)
			}
			text, err := json.Marshal(resp)
			if err != nil || len(text) > MaxResponseBytes {
				t.Errorf("%d bytes for the runtime, %v", len(text), err)
			}
		})
	}
}

func FuzzEscapedSize(f *testing.F) {
	f.Add("plain")
	f.Add("\x00\n\"\\ \u2028 \ufffd \xff <>& \x7f")
	f.Fuzz(func(t *testing.T, body string) {
		// As the Lambda library encodes responses.
		var want bytes.Buffer
		enc := json.NewEncoder(&want)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(body); err != nil {
			t.Fatal(err)
		}
		got := escapedSize(body)
		if exact := want.Len() - len("\"\"\n"); got != exact {
			t.Fatalf("%q: got %d, want %d", body, got, exact)
		}
	})
}
