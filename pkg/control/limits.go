package control

import (
	"context"

	"github.com/skystash/skystash/pkg/meter"
)

// Limits returns the limits of a resource for package meter. A resource that does not exist has no
// limits.
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

// Metered are all resources of all accounts, for package meter.
func (e *Engine) Metered(ctx context.Context) ([]meter.Resource, error) {
	accounts, err := e.Accounts(ctx)
	if err != nil {
		return nil, err
	}
	var all []meter.Resource
	for _, acct := range accounts {
		ids, err := e.owned(ctx, acct)
		if err != nil {
			return nil, err
		}
		for _, id := range ids {
			r, err := e.AnyResource(ctx, id) // which, unlike Resources, touches none that is being deleted
			if IsKind(err, NotFound) {
				continue
			}
			if err != nil {
				return nil, err
			}
			all = append(all, meter.Resource{Product: string(r.Product), ID: r.ID})
		}
	}
	return all, nil
}
