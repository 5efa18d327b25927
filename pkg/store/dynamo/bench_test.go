package dynamo_test

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/skystash/skystash/pkg/store"
	"github.com/skystash/skystash/pkg/store/dynamo"
	"github.com/skystash/skystash/pkg/testenv/dynamolocal"
)

// canned answers every request with the same body: what is left is our side and the client's.
type canned string

func (c canned) RoundTrip(r *http.Request) (*http.Response, error) {
	if _, err := io.Copy(io.Discard, r.Body); err != nil {
		return nil, err
	}
	return &http.Response{
		StatusCode: 200, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: r, Header: http.Header{},
		Body: io.NopCloser(strings.NewReader(string(c))), ContentLength: int64(len(c)),
	}, nil
}

func cannedStore(body string) *dynamo.Store {
	return dynamo.New(dynamodb.New(dynamodb.Options{
		Region:      "us-east-1",
		Credentials: credentials.NewStaticCredentialsProvider("key", "secret", ""),
		HTTPClient:  &http.Client{Transport: canned(body)},
	}), "table")
}

func cannedItem(fields, size int) string {
	var b bytes.Buffer
	b.WriteString(`{"p":{"B":"cA=="},"s":{"B":"cw=="},"t":{"B":"cw=="},"w":{"B":"AAECAwQFBgc="}`)
	for i := range fields {
		fmt.Fprintf(&b, `,"f%d":{"B":%q}`, i, base64.StdEncoding.EncodeToString(bytes.Repeat([]byte("v"), size)))
	}
	b.WriteString("}")
	return b.String()
}

func BenchmarkOurSide(b *testing.B) {
	w := store.Bytes("01234567")
	for _, bm := range []struct {
		name string
		body string
		call func(s *dynamo.Store) error
	}{
		{"Get/small", `{"Item":` + cannedItem(1, 100) + `}`, func(s *dynamo.Store) error {
			_, err := s.Get(b.Context(), key("a"))
			return err
		}},
		{"Get/100fields", `{"Item":` + cannedItem(100, 30) + `}`, func(s *dynamo.Store) error {
			_, err := s.Get(b.Context(), key("a"))
			return err
		}},
		{"Put/small", `{"Attributes":` + cannedItem(1, 100) + `}`, func(s *dynamo.Store) error {
			_, err := s.Apply(b.Context(), store.Put(key("a"), store.Attrs{{Name: "t", Value: store.Bytes("s")}, {Name: "v", Value: w}, {Name: "w", Value: w}}, nil))
			return err
		}},
		{"Update/increment", `{"Attributes":` + cannedItem(0, 0) + `}`, func(s *dynamo.Store) error {
			_, err := s.Apply(b.Context(), store.Update(key("a"),
				store.And{store.Or{store.Absent("t"), store.Eq("t", store.Bytes("s"))}, store.Or{store.Absent("e"), store.Gt("e", store.Int(1))}},
				store.Add("n", "n", 1), store.Set("w", w), store.Set("t", store.Bytes("s"))))
			return err
		}},
	} {
		b.Run(bm.name, func(b *testing.B) {
			s := cannedStore(bm.body)
			b.ReportAllocs()
			for b.Loop() {
				if err := bm.call(s); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkDynamoDBLocal(b *testing.B) {
	s := dynamolocal.Open(b)
	b.Run("Put", func(b *testing.B) {
		for b.Loop() {
			if _, err := s.Apply(b.Context(), store.Put(key("a"), store.Attrs{{Name: "v", Value: store.Bytes("v")}}, nil)); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("Get", func(b *testing.B) {
		for b.Loop() {
			if _, err := s.Get(b.Context(), key("a")); err != nil {
				b.Fatal(err)
			}
		}
	})
}
