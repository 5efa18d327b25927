package rest

import (
	_ "embed"
	"encoding/json"
	"net/http"
	"time"

	"github.com/skystash/skystash/pkg/control"
	"github.com/skystash/skystash/pkg/edge"
	"github.com/skystash/skystash/pkg/meter"
	"github.com/skystash/skystash/pkg/token"
)

//go:embed openapi.json
var openAPI []byte

func (x *exchange) openAPI() (any, error) { return json.RawMessage(openAPI), nil }

// account is the caller's account.
type account struct {
	ID        string            `json:"id"`
	Email     string            `json:"email"`
	Admin     bool              `json:"admin"`
	CreatedAt time.Time         `json:"created_at"`
	Products  []control.Product `json:"products"` // that are deployed
}

func (x *exchange) account() (any, error) {
	a := x.acct
	return account{a.ID, a.Email, a.Admin, a.CreatedAt, x.cfg.Engine.Products()}, nil
}

// resource is a resource of any product.
type resource struct {
	ID        string          `json:"id"`
	Product   control.Product `json:"product"`
	Name      string          `json:"name"`
	Region    string          `json:"region"`
	URL       string          `json:"url"`
	CreatedAt time.Time       `json:"created_at"`
	Limits    meter.Limits    `json:"limits"`
}

func showResource(r *control.Resource) resource {
	return resource{r.ID, r.Product, r.Name, r.Region, r.URL, r.CreatedAt, r.Limits}
}

func (x *exchange) listResources() (any, error) {
	all, err := x.resources("")
	if err != nil {
		return nil, err
	}
	out := make([]resource, len(all))
	for i, r := range all {
		out[i] = showResource(r)
	}
	return out, nil
}

func (x *exchange) getResource() (any, error) {
	r, err := x.resource(x.ids[0], "")
	if err != nil {
		return nil, err
	}
	return showResource(r), nil
}

func (x *exchange) deleteResource() (any, error) { return x.delete("") }

// credential is a credential of any product. Its token is only in answers about one.
type credential struct {
	ID           string      `json:"id"`
	Name         string      `json:"name"`
	Default      bool        `json:"default"`
	Scope        token.Scope `json:"scope"`
	Rules        []string    `json:"rules,omitempty"`
	Topics       *topicRule  `json:"topics,omitempty"`
	Groups       string      `json:"groups,omitempty"` // of Kafka
	Destinations []string    `json:"destinations,omitempty"`
	CreatedAt    time.Time   `json:"created_at"`
	ExpiresAt    *time.Time  `json:"expires_at,omitempty"`

	Token    string `json:"token,omitempty"`
	Username string `json:"username,omitempty"` // of Kafka
}

type topicRule struct {
	Permission token.Permission `json:"permission"`
	Topics     string           `json:"topics"`
}

func showCredential(cred *control.Credential, t control.Token) credential {
	out := credential{
		ID: cred.ID, Name: cred.Name, Default: cred.Default, Scope: cred.Scope, Rules: cred.Rules,
		Groups: string(cred.Groups), Destinations: cred.Destinations, CreatedAt: cred.CreatedAt, Token: t.Text, Username: t.Username,
	}
	if cred.Topics != (token.TopicRule{}) {
		out.Topics = &topicRule{cred.Topics.Permission, cred.Topics.Topics}
	}
	if !cred.Expires.IsZero() {
		out.ExpiresAt = &cred.Expires
	}
	return out
}

func (x *exchange) credentials() (any, error) {
	r, err := x.resource(x.ids[0], "")
	if err != nil {
		return nil, err
	}
	all, err := x.cfg.Engine.Credentials(x.ctx, x.acct.ID, r.ID)
	if err != nil {
		return nil, err
	}
	out := make([]credential, len(all))
	for i := range all {
		out[i] = showCredential(&all[i], control.Token{})
	}
	return out, nil
}

// user is a user of a database's access control list.
type user struct {
	Name       string     `json:"name"`
	Enabled    bool       `json:"enabled"`
	Rules      []string   `json:"rules"`
	Credential string     `json:"credential"`        // that made it; "": the owner, in the console
	MadeBy     string     `json:"made_by,omitempty"` // the user that made it
	ExpiresAt  *time.Time `json:"expires_at,omitempty"`
}

func (x *exchange) users() (any, error) {
	r, err := x.resource(x.ids[0], "")
	if err != nil {
		return nil, err
	}
	all, err := x.cfg.Engine.Users(x.ctx, x.acct.ID, r.ID)
	if err != nil {
		return nil, err
	}
	out := make([]user, len(all))
	for i, u := range all {
		out[i] = user{Name: u.Name, Enabled: u.Enabled, Rules: u.Rules, Credential: u.Credential, MadeBy: u.MadeBy}
		if !u.Expires.IsZero() {
			out[i].ExpiresAt = &all[i].Expires
		}
	}
	return out, nil
}

func (x *exchange) issueCredential() (any, error) {
	r, err := x.resource(x.ids[0], "")
	if err != nil {
		return nil, err
	}
	var in struct {
		Name         string      `json:"name"`
		Scope        token.Scope `json:"scope"`
		Rules        []string    `json:"rules"`
		Topics       *topicRule  `json:"topics"`
		Groups       *string     `json:"groups"`
		Destinations []string    `json:"destinations"`
		ExpiresAt    time.Time   `json:"expires_at"`
	}
	if err := x.body(&in); err != nil {
		return nil, err
	}
	for _, bound := range []struct {
		name  string
		empty bool
	}{
		{"rules", in.Rules != nil && len(in.Rules) == 0},
		{"topics", in.Topics != nil && *in.Topics == topicRule{}},
		{"groups", in.Groups != nil && *in.Groups == ""},
		{"destinations", in.Destinations != nil && len(in.Destinations) == 0},
	} {
		if bound.empty { // who has computed it wants nothing allowed, and would get everything
			return nil, badRequest("%s is empty: leave it out if there is to be no such bound", bound.name)
		}
	}
	o := control.CredentialOptions{Name: in.Name, Scope: in.Scope, Rules: in.Rules, Destinations: in.Destinations, Expires: in.ExpiresAt}
	if in.Groups != nil {
		o.Groups = token.GroupRule(*in.Groups)
	}
	if in.Topics != nil {
		o.Topics = token.TopicRule{Permission: in.Topics.Permission, Topics: in.Topics.Topics}
	}
	cred, err := x.cfg.Engine.Issue(x.ctx, x.acct.ID, r.ID, o)
	if err != nil {
		return nil, err
	}
	return x.withToken(r, cred)
}

func (x *exchange) withToken(r *control.Resource, cred *control.Credential) (any, error) {
	t, err := x.cfg.Engine.Token(x.ctx, x.acct.ID, r.ID, cred.ID)
	if err != nil {
		return nil, err
	}
	return showCredential(cred, t), nil
}

func (x *exchange) getCredential() (any, error) {
	if _, err := x.resource(x.ids[0], ""); err != nil {
		return nil, err
	}
	r, cred, err := x.cfg.Engine.Credential(x.ctx, x.acct.ID, x.ids[0], x.ids[1])
	if err != nil {
		return nil, err
	}
	return x.withToken(r, cred)
}

func (x *exchange) revokeCredential() (any, error) {
	r, err := x.resource(x.ids[0], "")
	if err != nil {
		return nil, err
	}
	return done, x.cfg.Engine.Revoke(x.ctx, x.acct.ID, r.ID, x.ids[1])
}

func (x *exchange) resetCredentials() (any, error) {
	_, err := x.reset("")
	return done, err
}

func (x *exchange) getLimits() (any, error) {
	r, err := x.resource(x.ids[0], "")
	if err != nil {
		return nil, err
	}
	return r.Limits, nil
}

func (x *exchange) setLimits() (any, error) {
	r, err := x.resource(x.ids[0], "")
	if err != nil {
		return nil, err
	}
	var in meter.Limits
	if err := x.body(&in); err != nil {
		return nil, err
	}
	r, err = x.cfg.Engine.SetLimits(x.ctx, x.acct.ID, r.ID, in)
	if err != nil {
		return nil, err
	}
	return r.Limits, nil
}

// apiKey is an API key. Its text is only in the answer to its making.
type apiKey struct {
	ID        string    `json:"id"`
	Name      string    `json:"name"`
	CreatedAt time.Time `json:"created_at"`
	Key       string    `json:"key,omitempty"`
}

func (x *exchange) apiKeys() (any, error) {
	keys, err := x.cfg.Engine.APIKeys(x.ctx, x.acct.ID)
	if err != nil {
		return nil, err
	}
	out := make([]apiKey, len(keys))
	for i, k := range keys {
		out[i] = apiKey{ID: k.ID, Name: k.Name, CreatedAt: k.CreatedAt}
	}
	return out, nil
}

func (x *exchange) createAPIKey() (any, error) {
	var in struct {
		Name string `json:"name"`
	}
	if err := x.body(&in); err != nil {
		return nil, err
	}
	k, text, err := x.cfg.Engine.CreateAPIKey(x.ctx, x.acct.ID, in.Name)
	if err != nil {
		return nil, err
	}
	return apiKey{k.ID, k.Name, k.CreatedAt, text}, nil
}

func (x *exchange) revokeAPIKey() (any, error) {
	return done, x.cfg.Engine.RevokeAPIKey(x.ctx, x.acct.ID, x.ids[0])
}

// signingKey is a key that tokens are or were signed with.
type signingKey struct {
	ID        string     `json:"id"`
	PublicKey string     `json:"public_key"` // 32 bytes in base64
	Current   bool       `json:"current"`
	CreatedAt time.Time  `json:"created_at"`
	SignsFrom time.Time  `json:"signs_from"`
	RetiredAt *time.Time `json:"retired_at,omitempty"`
}

func showSigningKey(k *control.SigningKey) signingKey {
	out := signingKey{ID: k.ID, PublicKey: k.Public, Current: k.Current, CreatedAt: k.CreatedAt, SignsFrom: k.SignsFrom}
	if !k.RetiredAt.IsZero() {
		out.RetiredAt = &k.RetiredAt
	}
	return out
}

// admin wraps what concerns the deployment as a whole.
func admin(serve func(*exchange) (any, error)) func(*exchange) (any, error) {
	return func(x *exchange) (any, error) {
		if !x.acct.Admin {
			return nil, edge.Refuse(http.StatusForbidden, "only an administrator of the deployment may do that")
		}
		return serve(x)
	}
}

func (x *exchange) signingKeys() (any, error) {
	keys, err := x.cfg.Engine.SigningKeys(x.ctx)
	if err != nil {
		return nil, err
	}
	out := make([]signingKey, len(keys))
	for i := range keys {
		out[i] = showSigningKey(&keys[i])
	}
	return out, nil
}

func (x *exchange) rotateSigningKey() (any, error) {
	k, err := x.cfg.Engine.RotateSigningKey(x.ctx)
	if err != nil {
		return nil, err
	}
	return showSigningKey(k), nil
}

func (x *exchange) retireSigningKey() (any, error) {
	return done, x.cfg.Engine.RetireSigningKey(x.ctx, x.ids[0])
}
