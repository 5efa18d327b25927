package wire

import (
	"context"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// noACLs refuses access control lists as a broker without an authorizer does. User interfaces take it for "there are none".
func (x *exchange) noACLs() refusal {
	return x.refuse(kerr.SecurityDisabled, "there are no access control lists: credentials have rules")
}

func (x *exchange) describeACLs(_ context.Context, _ *kmsg.DescribeACLsRequest, resp *kmsg.DescribeACLsResponse) error {
	r := x.noACLs()
	resp.ErrorCode, resp.ErrorMessage = r.code, r.text
	return nil
}

func (x *exchange) createACLs(_ context.Context, req *kmsg.CreateACLsRequest, resp *kmsg.CreateACLsResponse) error {
	for range req.Creations {
		one, r := kmsg.NewCreateACLsResponseResult(), x.noACLs()
		one.ErrorCode, one.ErrorMessage = r.code, r.text
		resp.Results = append(resp.Results, one)
	}
	return nil
}

func (x *exchange) deleteACLs(_ context.Context, req *kmsg.DeleteACLsRequest, resp *kmsg.DeleteACLsResponse) error {
	for range req.Filters {
		one, r := kmsg.NewDeleteACLsResponseResult(), x.noACLs()
		one.ErrorCode, one.ErrorMessage = r.code, r.text
		resp.Results = append(resp.Results, one)
	}
	return nil
}
