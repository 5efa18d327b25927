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
func (c *call) database(r *control.Resource, secrets bool) (*database, error) {
	host, port, tls := endpoint(r.URL)
	region, primary := "global", r.Region
	if r.Settings.Regional {
		region, primary = r.Region, "" // what was not asked for would look like a change to Terraform
	}
	d := &database{
		ID: r.ID, Name: r.Name, Type: "Pay as You Go", Plan: "payg", Region: region, PrimaryRegion: primary,
		ReadRegions: list(r.Settings.ReadRegions), PrimaryMembers: []string{r.Region},
		AllMembers:   append([]string{r.Region}, r.Settings.ReadRegions...),
		CreationTime: r.CreatedAt.Unix(), State: "active", Endpoint: host, Port: port, TLS: tls,
		UserEmail: c.acct.Email, CustomerID: c.acct.Email, Eviction: r.Eviction, DBEviction: r.Eviction,
		AutoUpgrade: r.Settings.AutoUpgrade, ProdPack: r.Settings.ProdPack,
		Budget: int64(r.Limits.MonthlyBudget), RequestLimit: r.Limits.DailyRequests,
		MaxRequestSize: maxRequestSize, MaxEntrySize: maxEntrySize, AllowedIPs: []string{},
	}
	if !secrets {
		return d, nil
	}
	readWrite, readOnly, err := c.defaults(r)
	if err != nil {
		return nil, err
	}
	d.Password, d.RestToken, d.ReadOnlyRestToken = readWrite.Text, readWrite.Text, readOnly.Text
	return d, nil
}

// defaults are the tokens of a resource's default credentials; readOnly only if it has one.
func (c *call) defaults(r *control.Resource) (readWrite, readOnly control.Token, err error) {
	credentials, err := c.cfg.Engine.Credentials(c.ctx, c.acct.ID, r.ID)
	if err != nil {
		return readWrite, readOnly, err
	}
	for _, cred := range credentials {
		if !cred.Default {
			continue
		}
		t, err := c.cfg.Engine.Token(c.ctx, c.acct.ID, r.ID, cred.ID)
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

func (c *call) databases() (any, error) {
	resources, err := c.resources(control.Redis)
	if err != nil {
		return nil, err
	}
	out := make([]*database, len(resources))
	for i, r := range resources {
		if out[i], err = c.database(r, true); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (c *call) getDatabase() (any, error) {
	r, err := c.resource(c.ids[0], control.Redis)
	if err != nil {
		return nil, err
	}
	return c.database(r, c.r.URL.Query().Get("credentials") != "hide")
}

// createDatabase takes what the present API, the CLI and the Terraform provider send: a
// region of its own for databases that are not global, and names of old.
func (c *call) createDatabase() (any, error) {
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
	if err := c.body(&in); err != nil {
		return nil, err
	}
	if in.Name == "" {
		in.Name = in.OldName
	}
	regional := in.Region != "" && in.Region != "global"
	for _, region := range []string{in.PrimaryRegion, in.Region} {
		if err := c.here(region); err != nil {
			return nil, err
		}
	}
	if err := c.readable(in.ReadRegions); err != nil {
		return nil, err
	}
	r, err := c.cfg.Engine.CreateDatabase(c.ctx, c.acct.ID, control.CreateOptions{
		Name: in.Name, Eviction: in.Eviction, Limits: meter.Limits{MonthlyBudget: in.Budget},
		Settings: control.Settings{AutoUpgrade: in.AutoUpgrade, ProdPack: in.ProdPack, Regional: regional, ReadRegions: in.ReadRegions},
	})
	if err != nil {
		return nil, err
	}
	return c.database(r, true)
}

// here refuses regions that this deployment is not in.
func (c *call) here(region string) error {
	if region != "" && region != "global" && region != c.cfg.Engine.Region() {
		return badRequest("region %.40q is not available: this deployment is in %s", region, c.cfg.Engine.Region())
	}
	return nil
}

// readable refuses regions that databases cannot be read in.
func (c *call) readable(regions []string) error {
	for _, region := range regions {
		if !slices.Contains(c.cfg.ReadRegions, region) {
			return badRequest("read region %.40q is not deployed", region)
		}
	}
	return nil
}

func (c *call) deleteDatabase() (any, error) { return c.delete(control.Redis) }

// delete deletes the resource that the path names.
func (c *call) delete(p control.Product) (any, error) {
	r, err := c.resource(c.ids[0], p)
	if err != nil {
		return nil, err
	}
	return done, c.cfg.Engine.Delete(c.ctx, c.acct.ID, r.ID)
}

func (c *call) renameDatabase() (any, error) {
	r, err := c.rename(control.Redis)
	if err != nil {
		return nil, err
	}
	return c.database(r, true)
}

// rename gives the resource that the path names the name in the body.
func (c *call) rename(p control.Product) (*control.Resource, error) {
	r, err := c.resource(c.ids[0], p)
	if err != nil {
		return nil, err
	}
	var in struct {
		Name string `json:"name"`
	}
	if err := c.body(&in); err != nil {
		return nil, err
	}
	return c.cfg.Engine.Rename(c.ctx, c.acct.ID, r.ID, in.Name)
}

func (c *call) resetDatabase() (any, error) {
	r, err := c.reset(control.Redis)
	if err != nil {
		return nil, err
	}
	return c.database(r, true)
}

// reset makes all credentials of the resource that the path names invalid.
func (c *call) reset(p control.Product) (*control.Resource, error) {
	r, err := c.resource(c.ids[0], p)
	if err != nil {
		return nil, err
	}
	return r, c.cfg.Engine.Reset(c.ctx, c.acct.ID, r.ID)
}

// enableTLS has nothing to do where the deployment's URLs have it.
func (c *call) enableTLS() (any, error) {
	r, err := c.resource(c.ids[0], control.Redis)
	if err != nil {
		return nil, err
	}
	if _, _, tls := endpoint(r.URL); !tls {
		return nil, badRequest("this deployment is served without TLS")
	}
	return c.database(r, true)
}

func eviction(on bool) func(*call) (any, error) {
	return func(c *call) (any, error) {
		r, err := c.resource(c.ids[0], control.Redis)
		if err != nil {
			return nil, err
		}
		_, err = c.cfg.Engine.SetEviction(c.ctx, c.acct.ID, r.ID, on)
		return done, err
	}
}

// setting changes one of the settings that are only kept.
func setting(set func(*control.Settings)) func(*call) (any, error) {
	return func(c *call) (any, error) {
		r, err := c.resource(c.ids[0], control.Redis)
		if err != nil {
			return nil, err
		}
		_, err = c.cfg.Engine.SetSettings(c.ctx, c.acct.ID, r.ID, set)
		return done, err
	}
}

func (c *call) updateRegions() (any, error) {
	r, err := c.resource(c.ids[0], control.Redis)
	if err != nil {
		return nil, err
	}
	var in struct {
		ReadRegions []string `json:"read_regions"`
	}
	if err := c.body(&in); err != nil {
		return nil, err
	}
	if err := c.readable(in.ReadRegions); err != nil {
		return nil, err
	}
	_, err = c.cfg.Engine.SetSettings(c.ctx, c.acct.ID, r.ID, func(s *control.Settings) { s.ReadRegions = in.ReadRegions })
	return done, err
}

// budget sets the monthly budget of a resource, in dollars.
func budget(p control.Product) func(*call) (any, error) {
	return func(c *call) (any, error) {
		r, err := c.resource(c.ids[0], p)
		if err != nil {
			return nil, err
		}
		var in struct {
			Budget *float64 `json:"budget"`
		}
		if err := c.body(&in); err != nil {
			return nil, err
		}
		if in.Budget == nil {
			return nil, badRequest("budget is required")
		}
		limits := r.Limits
		limits.MonthlyBudget = *in.Budget
		_, err = c.cfg.Engine.SetLimits(c.ctx, c.acct.ID, r.ID, limits)
		return done, err
	}
}
