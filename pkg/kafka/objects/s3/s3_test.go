package s3_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/skystash/skystash/pkg/kafka/objects"
	"github.com/skystash/skystash/pkg/kafka/objects/objectstest"
	"github.com/skystash/skystash/pkg/kafka/objects/s3"
	"github.com/skystash/skystash/pkg/store"
	"github.com/skystash/skystash/pkg/testenv/motolocal"
)

var config = aws.Config{Region: "us-east-1", Credentials: credentials.NewStaticCredentialsProvider("key", "secret", "")}

var buckets atomic.Int64

func TestConformance(t *testing.T) {
	endpoint := motolocal.Start(t)
	objectstest.Run(t, func(t *testing.T) objects.Store {
		bucket := "segments-" + string(rune('a'+buckets.Add(1)))
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, endpoint+"/"+bucket, nil)
		if err != nil {
			t.Fatal(err)
		}
		// The emulator tells services apart by the signature's scope.
		req.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=key/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			t.Fatalf("creating the bucket: status %d", resp.StatusCode)
		}
		return s3.New(config, bucket, s3.Options{Endpoint: endpoint})
	})
}

func TestRequestsAreSentAgain(t *testing.T) {
	var calls atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.Contains(r.Header.Get("Authorization"), "/us-east-1/s3/aws4_request") {
			t.Errorf("the request is not signed: %v", r.Header)
		}
		switch calls.Add(1) {
		case 1:
			w.WriteHeader(http.StatusServiceUnavailable)
		case 2:
			w.WriteHeader(http.StatusInternalServerError)
		case 3:
			panic(http.ErrAbortHandler)
		}
	}))
	defer server.Close()
	s := s3.New(config, "bucket", s3.Options{Endpoint: server.URL})
	if err := s.Put(t.Context(), "a", []byte("x")); err != nil || calls.Load() != 4 {
		t.Errorf("%v after %d requests", err, calls.Load())
	}
}

func TestRefusalsAreNotRepeated(t *testing.T) {
	var calls atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		calls.Add(1)
		w.WriteHeader(http.StatusForbidden)
	}))
	defer server.Close()
	s := s3.New(config, "bucket", s3.Options{Endpoint: server.URL})
	if err := s.Put(t.Context(), "a", []byte("x")); err == nil || errors.Is(err, store.ErrUnavailable) || calls.Load() != 1 {
		t.Errorf("%v after %d requests", err, calls.Load())
	}
}
