package dynamo

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/skystash/skystash/pkg/store"
)

// result is what an error says about its request.
type result uint8

const (
	refused   result = iota // not carried out, and would not be the next time
	throttled               // not carried out, for want of capacity
	contended               // not carried out, because of a concurrent transaction
	unsent                  // never left this machine
	unclear                 // carried out or not
)

// classify tells what an error of the client means. What it does not know is unclear.
func classify(err error) result {
	var canceled *types.TransactionCanceledException
	if errors.As(err, &canceled) {
		return classifyReasons(canceled.CancellationReasons)
	}
	var api smithy.APIError
	if errors.As(err, &api) {
		switch api.ErrorCode() {
		case "ProvisionedThroughputExceededException", "RequestLimitExceeded", "ThrottlingException",
			"Throttling", "ThrottledException", "RequestThrottledException", "TooManyRequestsException",
			"RequestThrottled":
			return throttled
		case "TransactionConflictException", "ReplicatedWriteConflictException":
			return contended
		case "TransactionInProgressException": // an earlier attempt with the same token
			return unclear
		}
	}
	var dial *net.OpError
	if errors.As(err, &dial) && dial.Op == "dial" {
		return unsent
	}
	// The client wraps failures to send in the same type, without a status.
	var response *smithyhttp.ResponseError
	if errors.As(err, &response) && response.HTTPStatusCode() != 0 {
		switch status := response.HTTPStatusCode(); {
		case status == http.StatusTooManyRequests:
			return throttled
		case status >= 400 && status < 500:
			return refused
		}
		return unclear
	}
	var (
		sending  *smithyhttp.RequestSendError
		stopped  *smithy.CanceledError
		stopped2 *aws.RequestCanceledError
		decoding *smithy.DeserializationError
	)
	if errors.As(err, &sending) || errors.As(err, &stopped) || errors.As(err, &stopped2) || errors.As(err, &decoding) || api != nil {
		return unclear
	}
	// Credentials, endpoint, serialization: it has not come to sending.
	return refused
}

// classifyReasons weighs the reasons of a canceled transaction, one for each of
// its operations. A condition that was not met is certain, whatever else
// stood in the way.
func classifyReasons(reasons []types.CancellationReason) result {
	res := unclear
	for _, r := range reasons {
		switch aws.ToString(r.Code) {
		case "ConditionalCheckFailed", "ValidationError", "ItemCollectionSizeLimitExceeded", "AccessDenied", "DuplicateItem":
			return refused
		case "TransactionConflict":
			res = contended
		case "ThrottlingError", "ProvisionedThroughputExceeded", "RequestLimitExceeded":
			if res != contended {
				res = throttled
			}
		}
	}
	return res
}

// isVerdict reports whether a refusal speaks of the condition or of the single
// operations of a transaction.
func isVerdict(err error) bool {
	var failed *types.ConditionalCheckFailedException
	var canceled *types.TransactionCanceledException
	return errors.As(err, &failed) || errors.As(err, &canceled)
}

// refusal translates an error with which DynamoDB refuses a request for good.
func refusal(what string, err error) error {
	var api smithy.APIError
	switch {
	case !errors.As(err, &api):
		return fmt.Errorf("dynamo: %s: %w: %w", what, store.ErrUnavailable, err)
	case isTooLarge(api.ErrorCode(), api.ErrorMessage()):
		return fmt.Errorf("dynamo: %s: %w: %w", what, store.ErrTooLarge, err)
	case api.ErrorCode() == "ValidationException":
		return fmt.Errorf("dynamo: %s: %w", what, err) // a mistake of the caller
	}
	return fmt.Errorf("dynamo: %s: %w: %w", what, store.ErrUnavailable, err)
}

// isTooLarge tells a refused size from other invalid requests. DynamoDB has one
// code for all of them; only the text differs.
func isTooLarge(code, text string) bool {
	switch code {
	case "ItemCollectionSizeLimitExceededException", "ItemCollectionSizeLimitExceeded", "RequestEntityTooLargeException":
		return true
	case "ValidationException", "ValidationError":
	default:
		return false
	}
	text = strings.ToLower(text)
	for _, phrase := range []string{
		"exceeded the maximum allowed size", // of an item, of an expression
		"exceeds the maximum allowed size",  // the same
		"cannot exceed",                     // payload of a transaction
		"is too large",                      // payload of an answer
		"too many operators",                // in an expression
		"exceeded max allowed",              // size of values in an expression
		"length less than or equal to",      // of a list, a name
		"size has exceeded",                 // of an item, of an index
	} {
		if strings.Contains(text, phrase) {
			return true
		}
	}
	return false
}
