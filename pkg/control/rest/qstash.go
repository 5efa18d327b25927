package rest

import (
	"strings"

	"github.com/skystash/skystash/pkg/control"
)

// qstashUser is a QStash account as the API shows it.
type qstashUser struct {
	ID                   string `json:"id"`
	CustomerID           string `json:"customer_id"`
	CreatedBy            string `json:"created_by"`
	Token                string `json:"token"`
	Active               bool   `json:"active"`
	State                string `json:"state"`
	ModifyingState       string `json:"modifying_state"`
	Type                 string `json:"type"`
	ReservedType         string `json:"reserved_type"`
	ReservedPrice        int64  `json:"reserved_price"`
	Region               string `json:"region"`
	Budget               int64  `json:"budget"` // dollars a month; 0: none
	ProdPack             bool   `json:"prod_pack_enabled"`
	MaxMessageSize       int64  `json:"max_message_size"`
	MaxRequestsPerDay    int64  `json:"max_requests_per_day"` // 0: no limit
	MaxEndpointsPerTopic int    `json:"max_endpoints_per_topic"`
	MaxRetries           int    `json:"max_retries"`
	MaxTopics            int    `json:"max_topics"`
	MaxSchedules         int    `json:"max_schedules"`
	MaxQueues            int    `json:"max_queues"`
	MaxParallelism       int    `json:"max_parallelism"`
	MaxDelay             int64  `json:"max_delay"`                    // seconds
	MaxDLQRetention      int64  `json:"max_dlq_retention_time_milis"` // ms
	Timeout              int64  `json:"timeout"`                      // seconds
	CreationTime         int64  `json:"creation_time"`                // Unix seconds
	DeletionTime         int64  `json:"deletion_time"`
}

func (x *exchange) qstashUser(r *control.Resource) (*qstashUser, error) {
	t, _, err := x.defaults(r)
	if err != nil {
		return nil, err
	}
	l := x.cfg.QStash.Limits()
	return &qstashUser{
		ID: r.ID, CustomerID: x.acct.Email, CreatedBy: x.acct.Email, Token: t.Text, Active: true, State: "active", Type: "paid",
		Region: r.Region, Budget: int64(r.Limits.MonthlyBudget), MaxMessageSize: int64(l.MaxMessageBytes), MaxRequestsPerDay: r.Limits.DailyRequests,
		MaxEndpointsPerTopic: l.Endpoints, MaxRetries: l.MaxRetries, MaxTopics: l.Groups, MaxSchedules: l.Schedules, MaxQueues: l.Queues,
		MaxParallelism: l.Parallelism, MaxDelay: int64(l.MaxDelay.Seconds()), MaxDLQRetention: l.DLQFor.Milliseconds(),
		Timeout: int64(l.MaxTimeout.Seconds()), CreationTime: r.CreatedAt.Unix(),
	}, nil
}

func (x *exchange) qstashUsers() (any, error) {
	resources, err := x.resources(control.QStash)
	if err != nil {
		return nil, err
	}
	out := make([]*qstashUser, len(resources))
	for i, r := range resources {
		if out[i], err = x.qstashUser(r); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (x *exchange) getQStash() (any, error) {
	r, err := x.resource(x.ids[0], control.QStash)
	if err != nil {
		return nil, err
	}
	return x.qstashUser(r)
}

// firstQStash is the one of the account's that clients mean who know of one only: the oldest.
func (x *exchange) firstQStash() (any, error) {
	r, err := x.oldestQStash()
	if err != nil {
		return nil, err
	}
	return x.qstashUser(r)
}

func (x *exchange) oldestQStash() (*control.Resource, error) {
	resources, err := x.resources(control.QStash)
	if err != nil {
		return nil, err
	}
	if len(resources) == 0 {
		return nil, errNotFound
	}
	return resources[0], nil
}

func (x *exchange) rotateFirstToken() (any, error) {
	r, err := x.oldestQStash()
	if err != nil {
		return nil, err
	}
	x.ids = []string{r.ID}
	return x.rotateToken()
}

func (x *exchange) rotateToken() (any, error) {
	r, err := x.reset(control.QStash)
	if err != nil {
		return nil, err
	}
	return x.qstashUser(r)
}

// addresses are none: Lambda functions send from any address of AWS's.
func (x *exchange) addresses() (any, error) { return []string{}, nil }

func (x *exchange) createQStash() (any, error) {
	var in struct {
		Name string `json:"name"`
	}
	if err := x.body(&in); err != nil {
		return nil, err
	}
	if strings.TrimSpace(in.Name) == "" {
		return nil, badRequest("name is required")
	}
	r, err := x.cfg.Engine.CreateQStash(x.ctx, x.acct.ID, control.CreateOptions{Name: in.Name})
	if err != nil {
		return nil, err
	}
	return x.qstashUser(r)
}
