package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/skystash/skystash/functions/backend/contract"
	"github.com/skystash/skystash/pkg/store"
	"github.com/skystash/skystash/pkg/store/dynamo"
	"github.com/skystash/skystash/pkg/store/embedded"
)

// openStore opens the store of a product that the flags name: a folder in the data
// folder, or a table. recordTTL is how old a database's
// record may get in an engine over it.
func (m *Main) openStore(ctx context.Context, dir, table string) (st store.Store, recordTTL time.Duration, err error) {
	if m.flags.store == storeDynamo {
		st, err = m.openDynamo(ctx, table)
		return st, contract.RecordTTL, err
	}
	st, err = m.openEmbedded(dir)
	return st, 0, err
}

func (m *Main) openEmbedded(dir string) (store.Store, error) {
	opts := embedded.Options{InMemory: m.flags.ephemeral, SyncEvery: m.flags.syncEvery, Now: m.Now, Logger: m.log}
	if !m.flags.ephemeral {
		opts.Dir = filepath.Join(m.flags.data, dir)
	}
	s, err := embedded.Open(opts)
	if errors.Is(err, embedded.ErrLocked) {
		return nil, fmt.Errorf("the data folder %s is in use by another process", m.flags.data)
	}
	if err != nil {
		return nil, fmt.Errorf("opening the data folder %s: %w", m.flags.data, err)
	}
	return s, nil
}

// openAWS is the configuration of the clients of AWS, or of an emulator at an endpoint.
func (m *Main) openAWS(ctx context.Context, endpoint string) (aws.Config, error) {
	f := &m.flags
	opts := []func(*config.LoadOptions) error{config.WithRegion(f.region)}
	if endpoint != "" && os.Getenv("AWS_ACCESS_KEY_ID") == "" && os.Getenv("AWS_PROFILE") == "" {
		// Emulators take any, but want some.
		opts = append(opts, config.WithCredentialsProvider(credentials.NewStaticCredentialsProvider("skystash", "skystash", "")))
	}
	if len(f.resolve) > 0 {
		opts = append(opts, config.WithHTTPClient(f.resolve.httpClient()))
	}
	cfg, err := config.LoadDefaultConfig(ctx, opts...)
	if err != nil {
		return aws.Config{}, fmt.Errorf("loading the AWS configuration: %w", err)
	}
	return cfg, nil
}

func (m *Main) openDynamo(ctx context.Context, table string) (store.Store, error) {
	f := &m.flags
	cfg, err := m.openAWS(ctx, f.endpoint)
	if err != nil {
		return nil, err
	}
	client := dynamodb.NewFromConfig(cfg, func(o *dynamodb.Options) {
		if f.endpoint != "" {
			o.BaseEndpoint = &f.endpoint
			o.DisableValidateResponseChecksum = true // those of DynamoDB Local are often wrong
		}
	})
	if f.endpoint != "" {
		if err := dynamo.CreateTable(ctx, client, table); err != nil {
			return nil, fmt.Errorf("DynamoDB at %s: %w", f.endpoint, err)
		}
	}
	return dynamo.New(client, table), nil
}

// httpClient connects to the addresses that the flag names.
func (r resolveFlag) httpClient() *awshttp.BuildableClient {
	dialer := &net.Dialer{Timeout: 5 * time.Second}
	return awshttp.NewBuildableClient().WithTransportOptions(func(t *http.Transport) {
		t.MaxIdleConnsPerHost = 128
		t.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
			if host, _, err := net.SplitHostPort(addr); err == nil {
				if to, ok := r[strings.ToLower(host)]; ok {
					addr = to
				}
			}
			return dialer.DialContext(ctx, network, addr)
		}
	})
}
