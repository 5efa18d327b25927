package control

import (
	"context"

	"github.com/skystash/skystash/pkg/meter"
)

// Limits are those of a resource, for package meter; none of one that does not exist.
func (e *Engine) Limits(ctx context.Context, r meter.Resource) (meter.Limits, error) {
	res, err := e.AnyResource(ctx, r.ID)
	if IsKind(err, NotFound) || err == nil && string(res.Product) != r.Product {
		return meter.Limits{}, nil
	}
	if err != nil {
		return meter.Limits{}, err
	}
	return res.Limits, nil
}
