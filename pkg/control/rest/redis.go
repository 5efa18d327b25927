package rest

import (
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/skystash/skystash/pkg/control"
	"github.com/skystash/skystash/pkg/meter"
	"github.com/skystash/skystash/pkg/token"
)

// Limits of a database, as clients are told them.
const (
	maxRequestSize = 10 << 20
	maxEntrySize   = 100 << 20
)

// database is a Redis database as the API shows it.
type database struct {
	ID                string   `json:"database_id"`
	Name              string   `json:"database_name"`
	Type              string   `json:"database_type"`
	Plan              string   `json:"type"`
	Region            string   `json:"region"`
	PrimaryRegion     string   `json:"primary_region"`
	ReadRegions       []string `json:"read_regions"`
	PrimaryMembers    []string `json:"primary_members"`
	AllMembers        []string `json:"all_members"`
	CreationTime      int64    `json:"creation_time"` // Unix seconds
	State             string   `json:"state"`
	ModifyingState    string   `json:"modifying_state"`
	Endpoint          string   `json:"endpoint"` // host, with port and path where they are not the usual ones
	Port              int      `json:"port"`
	TLS               bool     `json:"tls"`
	TCPEndpoint       string   `json:"tcp_endpoint"` // host:port of Redis's own protocol, without TLS; empty: not served
	TLSEndpoint       string   `json:"tls_endpoint"` // the same, over TLS
	Password          string   `json:"password,omitempty"`
	RestToken         string   `json:"rest_token,omitempty"`
	ReadOnlyRestToken string   `json:"read_only_rest_token,omitempty"`
	UserEmail         string   `json:"user_email"`
	CustomerID        string   `json:"customer_id"`
	Eviction          bool     `json:"eviction"`
	DBEviction        bool     `json:"db_eviction"`
	AutoUpgrade       bool     `json:"auto_upgrade"`
	ProdPack          bool     `json:"prod_pack_enabled"`
	DailyBackup       bool     `json:"daily_backup_enabled"`
	Consistent        bool     `json:"consistent"`
	Multizone         bool     `json:"multizone"`
	Budget            int64    `json:"budget"` // dollars a month; 0: none
	RequestLimit      int64    `json:"db_request_limit"`
	MaxRequestSize    int64    `json:"db_max_request_size"`
	MaxEntrySize      int64    `json:"db_max_entry_size"`
	AllowedIPs        []string `json:"allowed_ip_ranges"`
}

// endpoint splits a product's URL into what the API shows of it.
func endpoint(text string) (host string, port int, tls bool) {
	u, err := url.Parse(text)
	if err != nil {
		return "", 0, false
	}
	tls = u.Scheme == "https"
	port = 80
	if tls {
		port = 443
	}
	if p, err := strconv.Atoi(u.Port()); err == nil {
		port = p
	}
	return u.Host + strings.TrimSuffix(u.Path, "/"), port, tls
}

// database shows a database, with or without what opens it.
func (x *exchange) database(r *control.Resource, secrets bool) (*database, error) {
	host, port, tls := endpoint(r.URL)
	native := x.cfg.Engine.RedisServer()
	region, primary := "global", r.Region
	if r.Settings.Regional {
		region, primary = r.Region, "" // what was not asked for would look like a change to Terraform
	}
	d := &database{
		ID: r.ID, Name: r.Name, Type: "Pay as You Go", Plan: "payg", Region: region, PrimaryRegion: primary,
		ReadRegions: list(r.Settings.ReadRegions), PrimaryMembers: []string{r.Region},
		AllMembers:   append([]string{r.Region}, r.Settings.ReadRegions...),
		CreationTime: r.CreatedAt.Unix(), State: "active", Endpoint: host, Port: port, TLS: tls,
		TCPEndpoint: native.Address, TLSEndpoint: native.TLSAddress,
		UserEmail: x.acct.Email, CustomerID: x.acct.Email, Eviction: r.Eviction, DBEviction: r.Eviction,
		AutoUpgrade: r.Settings.AutoUpgrade, ProdPack: r.Settings.ProdPack,
		Budget: int64(r.Limits.MonthlyBudget), RequestLimit: r.Limits.DailyRequests,
		MaxRequestSize: maxRequestSize, MaxEntrySize: maxEntrySize, AllowedIPs: []string{},
	}
	if !secrets {
		return d, nil
	}
	readWrite, readOnly, err := x.defaults(r)
	if err != nil {
		return nil, err
	}
	d.Password, d.RestToken, d.ReadOnlyRestToken = readWrite.Text, readWrite.Text, readOnly.Text
	return d, nil
}

// defaults are the tokens of a resource's default credentials; readOnly only if it has one.
func (x *exchange) defaults(r *control.Resource) (readWrite, readOnly control.Token, err error) {
	credentials, err := x.cfg.Engine.Credentials(x.ctx, x.acct.ID, r.ID)
	if err != nil {
		return readWrite, readOnly, err
	}
	for _, cred := range credentials {
		if !cred.Default {
			continue
		}
		t, err := x.cfg.Engine.Token(x.ctx, x.acct.ID, r.ID, cred.ID)
		if err != nil {
			return readWrite, readOnly, err
		}
		if cred.Scope == token.ReadOnly {
			readOnly = t
		} else {
			readWrite = t
		}
	}
	return readWrite, readOnly, nil
}

func (x *exchange) databases() (any, error) {
	resources, err := x.resources(control.Redis)
	if err != nil {
		return nil, err
	}
	out := make([]*database, len(resources))
	for i, r := range resources {
		if out[i], err = x.database(r, true); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (x *exchange) getDatabase() (any, error) {
	r, err := x.resource(x.ids[0], control.Redis)
	if err != nil {
		return nil, err
	}
	return x.database(r, x.r.URL.Query().Get("credentials") != "hide")
}

// createDatabase takes what the present API, the CLI and the Terraform provider send: a
// region of its own for databases that are not global, and names of old.
func (x *exchange) createDatabase() (any, error) {
	var in struct {
		Name          string   `json:"database_name"`
		OldName       string   `json:"name"`
		Region        string   `json:"region"`
		PrimaryRegion string   `json:"primary_region"`
		ReadRegions   []string `json:"read_regions"`
		Eviction      bool     `json:"eviction"`
		AutoUpgrade   bool     `json:"auto_upgrade"`
		ProdPack      bool     `json:"prod_pack_enabled"`
		Budget        float64  `json:"budget"`
	}
	if err := x.body(&in); err != nil {
		return nil, err
	}
	if in.Name == "" {
		in.Name = in.OldName
	}
	regional := in.Region != "" && in.Region != "global"
	for _, region := range []string{in.PrimaryRegion, in.Region} {
		if err := x.here(region); err != nil {
			return nil, err
		}
	}
	if err := x.readable(in.ReadRegions); err != nil {
		return nil, err
	}
	r, err := x.cfg.Engine.CreateDatabase(x.ctx, x.acct.ID, control.CreateOptions{
		Name: in.Name, Eviction: in.Eviction, Limits: meter.Limits{MonthlyBudget: in.Budget},
		Settings: control.Settings{AutoUpgrade: in.AutoUpgrade, ProdPack: in.ProdPack, Regional: regional, ReadRegions: in.ReadRegions},
	})
	if err != nil {
		return nil, err
	}
	return x.database(r, true)
}

// here refuses regions that this deployment is not in.
func (x *exchange) here(region string) error {
	if region != "" && region != "global" && region != x.cfg.Engine.Region() {
		return badRequest("region %.40q is not available: this deployment is in %s", region, x.cfg.Engine.Region())
	}
	return nil
}

// readable refuses regions that databases cannot be read in.
func (x *exchange) readable(regions []string) error {
	for _, region := range regions {
		if !slices.Contains(x.cfg.ReadRegions, region) {
			return badRequest("read region %.40q is not deployed", region)
		}
	}
	return nil
}

func (x *exchange) deleteDatabase() (any, error) { return x.delete(control.Redis) }

// delete deletes the resource that the path names.
func (x *exchange) delete(p control.Product) (any, error) {
	r, err := x.resource(x.ids[0], p)
	if err != nil {
		return nil, err
	}
	return done, x.cfg.Engine.Delete(x.ctx, x.acct.ID, r.ID)
}

func (x *exchange) renameDatabase() (any, error) {
	r, err := x.rename(control.Redis)
	if err != nil {
		return nil, err
	}
	return x.database(r, true)
}

// rename gives the resource that the path names the name in the body.
func (x *exchange) rename(p control.Product) (*control.Resource, error) {
	r, err := x.resource(x.ids[0], p)
	if err != nil {
		return nil, err
	}
	var in struct {
		Name string `json:"name"`
	}
	if err := x.body(&in); err != nil {
		return nil, err
	}
	return x.cfg.Engine.Rename(x.ctx, x.acct.ID, r.ID, in.Name)
}

func (x *exchange) resetDatabase() (any, error) {
	r, err := x.reset(control.Redis)
	if err != nil {
		return nil, err
	}
	return x.database(r, true)
}

// reset makes all credentials of the resource that the path names invalid.
func (x *exchange) reset(p control.Product) (*control.Resource, error) {
	r, err := x.resource(x.ids[0], p)
	if err != nil {
		return nil, err
	}
	return r, x.cfg.Engine.Reset(x.ctx, x.acct.ID, r.ID)
}

// enableTLS has nothing to do where the deployment's URLs have it.
func (x *exchange) enableTLS() (any, error) {
	r, err := x.resource(x.ids[0], control.Redis)
	if err != nil {
		return nil, err
	}
	if _, _, tls := endpoint(r.URL); !tls {
		return nil, badRequest("this deployment is served without TLS")
	}
	return x.database(r, true)
}

func eviction(on bool) func(*exchange) (any, error) {
	return func(x *exchange) (any, error) {
		r, err := x.resource(x.ids[0], control.Redis)
		if err != nil {
			return nil, err
		}
		_, err = x.cfg.Engine.SetEviction(x.ctx, x.acct.ID, r.ID, on)
		return done, err
	}
}

// setting changes one of the settings that are only kept.
func setting(set func(*control.Settings)) func(*exchange) (any, error) {
	return func(x *exchange) (any, error) {
		r, err := x.resource(x.ids[0], control.Redis)
		if err != nil {
			return nil, err
		}
		_, err = x.cfg.Engine.SetSettings(x.ctx, x.acct.ID, r.ID, set)
		return done, err
	}
}

func (x *exchange) updateRegions() (any, error) {
	r, err := x.resource(x.ids[0], control.Redis)
	if err != nil {
		return nil, err
	}
	var in struct {
		ReadRegions []string `json:"read_regions"`
	}
	if err := x.body(&in); err != nil {
		return nil, err
	}
	if err := x.readable(in.ReadRegions); err != nil {
		return nil, err
	}
	_, err = x.cfg.Engine.SetSettings(x.ctx, x.acct.ID, r.ID, func(s *control.Settings) { s.ReadRegions = in.ReadRegions })
	return done, err
}

// budget sets the monthly budget of a resource, in dollars.
func budget(p control.Product) func(*exchange) (any, error) {
	return func(x *exchange) (any, error) {
		r, err := x.resource(x.ids[0], p)
		if err != nil {
			return nil, err
		}
		var in struct {
			Budget *float64 `json:"budget"`
		}
		if err := x.body(&in); err != nil {
			return nil, err
		}
		if in.Budget == nil {
			return nil, badRequest("budget is required")
		}
		limits := r.Limits
		limits.MonthlyBudget = *in.Budget
		_, err = x.cfg.Engine.SetLimits(x.ctx, x.acct.ID, r.ID, limits)
		return done, err
	}
}
