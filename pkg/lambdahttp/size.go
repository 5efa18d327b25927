package lambdahttp

import (
	"fmt"
	"net/http"
	"unicode/utf8"

	"github.com/aws/aws-lambda-go/events"
)

const (
	// MaxResponseBytes is Lambda's limit of a response, in the JSON that the
	// runtime gets.
	MaxResponseBytes = 6 << 20

	// envelopeBytes is what status, headers and the like take of it at most.
	envelopeBytes = 16 << 10
)

// tooLarge answers in place of a response that Lambda would refuse.
func tooLarge(size int) events.APIGatewayV2HTTPResponse {
	return answer(http.StatusRequestEntityTooLarge, fmt.Sprintf(
		"ERR max request size exceeded. Limit: %d bytes, Actual: %d bytes", MaxResponseBytes-envelopeBytes, size))
}

// encodedSize is the length of a body as a JSON string, if it may be too large.
func encodedSize(resp events.APIGatewayV2HTTPResponse) int {
	if resp.IsBase64Encoded || len(resp.Body) <= (MaxResponseBytes-envelopeBytes)/len(`\u0000`) {
		return len(resp.Body)
	}
	return escapedSize(resp.Body)
}

func escapedSize(body string) int {
	size := len(body)
	for i, r := range body {
		switch {
		case r == '"', r == '\\', r == '\n', r == '\r', r == '\t', r == '\b', r == '\f':
			size++
		case r < ' ':
			size += len(`\u0000`) - 1
		case r == '\u2028', r == '\u2029':
			size += len(`\u2028`) - utf8.RuneLen(r)
		case r == utf8.RuneError:
			if _, width := utf8.DecodeRuneInString(body[i:]); width == 1 {
				size += len(`\ufffd`) - 1
			}
		}
	}
	return size
}
