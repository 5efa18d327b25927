package dynamo_test

import (
	"testing"

	"github.com/skystash/skystash/pkg/store"
	"github.com/skystash/skystash/pkg/store/storetest"
	"github.com/skystash/skystash/pkg/testenv/dynamolocal"
)

func TestConformance(t *testing.T) {
	storetest.Run(t, func(t *testing.T) store.Store { return dynamolocal.Open(t) })
}
