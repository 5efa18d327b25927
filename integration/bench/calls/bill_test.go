package calls

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/skystash/skystash/pkg/testenv/dynamolocal"
)

// What a request costs, told from the request and its answer alone. Units are
// what DynamoDB Local reports, corrected by AWS's rules where that is too little:
//
//	missing item, empty range         a unit, as if there was a small item
//	transaction                       two units where a plain call costs one
//	condition not met                 what writing the item as it was found costs
//
// Sources: "DynamoDB on-demand capacity mode", "Read consistency", "DynamoDB
// item sizes and formats" and "Amazon DynamoDB Transactions: How it works" in
// the DynamoDB Developer Guide.

// attributes are an item as DynamoDB's JSON has it: name, type, value.
type attributes map[string]map[string]json.RawMessage

// What of requests and answers matters to the bill.
type (
	asked struct {
		Item          attributes
		RequestItems  map[string]json.RawMessage
		TransactItems []map[string]struct{ Item attributes }
	}
	answered struct {
		Type                string `json:"__type"`
		ConsumedCapacity    json.RawMessage
		Item                attributes
		Responses           json.RawMessage
		CancellationReasons []struct {
			Code string
			Item attributes
		}
	}
)

func bill(op string, status int, body, answer []byte) (request, error) {
	req := request{op: op}
	var in asked
	if err := json.Unmarshal(body, &in); err != nil {
		return req, err
	}
	var out answered
	if err := json.Unmarshal(answer, &out); err != nil {
		return req, err
	}
	if status != 200 {
		switch _, name, _ := strings.Cut(out.Type, "#"); name {
		case "ConditionalCheckFailedException", "TransactionCanceledException":
			req.refused = true
		default:
			return req, fmt.Errorf("answered %d: %.300s", status, answer)
		}
	}
	reported, err := dynamolocal.Consumed(out.ConsumedCapacity)
	if err != nil {
		return req, err
	}
	switch op {
	case "GetItem", "Query":
		req.reads = max(reported, 1)
	case "BatchGetItem":
		for _, table := range in.RequestItems {
			var keys struct{ Keys []json.RawMessage }
			if err := json.Unmarshal(table, &keys); err != nil {
				return req, err
			}
			req.items += len(keys.Keys)
		}
		var found map[string][]json.RawMessage
		if err := json.Unmarshal(out.Responses, &found); err != nil {
			return req, err
		}
		missing := req.items
		for _, items := range found {
			missing -= len(items)
		}
		req.reads = reported + float64(missing)
	case "TransactGetItems":
		req.items = len(in.TransactItems)
		req.reads = max(reported, 2*float64(req.items))
	case "PutItem", "UpdateItem", "DeleteItem":
		if req.writes = max(reported, 1); !req.refused {
			break
		}
		req.writes, err = writeUnits(out.Item)
	case "BatchWriteItem":
		for _, table := range in.RequestItems {
			var writes []json.RawMessage
			if err := json.Unmarshal(table, &writes); err != nil {
				return req, err
			}
			req.items += len(writes)
		}
		req.writes = max(reported, float64(req.items))
	case "TransactWriteItems":
		req.items = len(in.TransactItems)
		for i, actions := range in.TransactItems {
			for _, action := range actions {
				units, err := writeUnits(action.Item)
				if err != nil {
					return req, err
				}
				if i < len(out.CancellationReasons) {
					found, err := writeUnits(out.CancellationReasons[i].Item)
					if err != nil {
						return req, err
					}
					units = max(units, found)
				}
				req.writes += 2 * units
			}
		}
		req.writes = max(reported, req.writes)
	default:
		return req, fmt.Errorf("its price is not known")
	}
	return req, err
}

// writeUnits is the price of writing an item of which nothing larger is replaced.
func writeUnits(item attributes) (float64, error) {
	size := 0
	for name, value := range item {
		n, err := valueSize(value)
		if err != nil {
			return 0, err
		}
		size += len(name) + n
	}
	return float64(max(1, (size+1023)/1024)), nil
}

// valueSize is the size by which a value is billed.
func valueSize(value map[string]json.RawMessage) (int, error) {
	for typ, raw := range value {
		switch typ {
		case "B":
			var text string
			if err := json.Unmarshal(raw, &text); err != nil {
				return 0, err
			}
			b, err := base64.StdEncoding.DecodeString(text)
			return len(b), err
		case "N":
			return (len(raw)-2)/2 + 1, nil
		case "L":
			var elems []map[string]json.RawMessage
			if err := json.Unmarshal(raw, &elems); err != nil {
				return 0, err
			}
			size := 3
			for _, e := range elems {
				n, err := valueSize(e)
				if err != nil {
					return 0, err
				}
				size += 1 + n
			}
			return size, nil
		}
	}
	return 0, fmt.Errorf("value of unknown type: %s", value)
}
