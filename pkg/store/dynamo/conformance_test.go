package dynamo_test

import (
	"testing"

	"github.com/skystash/skystash/pkg/store"
	"github.com/skystash/skystash/pkg/store/dynamo/dynamolocal"
	"github.com/skystash/skystash/pkg/store/storetest"
)

func TestConformance(t *testing.T) {
	storetest.Run(t, func(t *testing.T) store.Store { return dynamolocal.Open(t) })
}
