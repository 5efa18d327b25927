package rest

import (
	_ "embed"
	"encoding/json"
	"net/http"
	"time"

	"github.com/skystash/skystash/pkg/control"
	"github.com/skystash/skystash/pkg/meter"
	"github.com/skystash/skystash/pkg/token"
)

//go:embed openapi.json
var openAPI []byte

func (c *call) openAPI() (any, error) { return json.RawMessage(openAPI), nil }

// account is the caller's account.
type account struct {
	ID        string            `json:"id"`
	Email     string            `json:"email"`
	Admin     bool              `json:"admin"`
	CreatedAt time.Time         `json:"created_at"`
	Products  []control.Product `json:"products"` // that are deployed
}

func (c *call) account() (any, error) {
	a := c.acct
	return account{a.ID, a.Email, a.Admin, a.CreatedAt, c.cfg.Engine.Products()}, nil
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

func (c *call) listResources() (any, error) {
	all, err := c.resources("")
	if err != nil {
		return nil, err
	}
	out := make([]resource, len(all))
	for i, r := range all {
		out[i] = showResource(r)
	}
	return out, nil
}

func (c *call) getResource() (any, error) {
	r, err := c.resource(c.ids[0], "")
	if err != nil {
		return nil, err
	}
	return showResource(r), nil
}

func (c *call) deleteResource() (any, error) { return c.delete("") }

// credential is a credential of any product. Its token is only in answers about one.
type credential struct {
	ID           string      `json:"id"`
	Name         string      `json:"name"`
	Default      bool        `json:"default"`
	Scope        token.Scope `json:"scope"`
	Rules        []string    `json:"rules,omitempty"`
	Topics       *topicRule  `json:"topics,omitempty"`
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
		Destinations: cred.Destinations, CreatedAt: cred.CreatedAt, Token: t.Text, Username: t.Username,
	}
	if cred.Topics != (token.TopicRule{}) {
		out.Topics = &topicRule{cred.Topics.Permission, cred.Topics.Topics}
	}
	if !cred.Expires.IsZero() {
		out.ExpiresAt = &cred.Expires
	}
	return out
}

func (c *call) credentials() (any, error) {
	r, err := c.resource(c.ids[0], "")
	if err != nil {
		return nil, err
	}
	all, err := c.cfg.Engine.Credentials(c.ctx, c.acct.ID, r.ID)
	if err != nil {
		return nil, err
	}
	out := make([]credential, len(all))
	for i := range all {
		out[i] = showCredential(&all[i], control.Token{})
	}
	return out, nil
}

func (c *call) issueCredential() (any, error) {
	r, err := c.resource(c.ids[0], "")
	if err != nil {
		return nil, err
	}
	var in struct {
		Name         string      `json:"name"`
		Scope        token.Scope `json:"scope"`
		Rules        []string    `json:"rules"`
		Topics       *topicRule  `json:"topics"`
		Destinations []string    `json:"destinations"`
		ExpiresAt    time.Time   `json:"expires_at"`
	}
	if err := c.body(&in); err != nil {
		return nil, err
	}
	o := control.CredentialOptions{Name: in.Name, Scope: in.Scope, Rules: in.Rules, Destinations: in.Destinations, Expires: in.ExpiresAt}
	if in.Topics != nil {
		o.Topics = token.TopicRule{Permission: in.Topics.Permission, Topics: in.Topics.Topics}
	}
	cred, err := c.cfg.Engine.Issue(c.ctx, c.acct.ID, r.ID, o)
	if err != nil {
		return nil, err
	}
	return c.withToken(r, cred)
}

func (c *call) withToken(r *control.Resource, cred *control.Credential) (any, error) {
	t, err := c.cfg.Engine.Token(c.ctx, c.acct.ID, r.ID, cred.ID)
	if err != nil {
		return nil, err
	}
	return showCredential(cred, t), nil
}

func (c *call) getCredential() (any, error) {
	if _, err := c.resource(c.ids[0], ""); err != nil {
		return nil, err
	}
	r, cred, err := c.cfg.Engine.Credential(c.ctx, c.acct.ID, c.ids[0], c.ids[1])
	if err != nil {
		return nil, err
	}
	return c.withToken(r, cred)
}

func (c *call) revokeCredential() (any, error) {
	r, err := c.resource(c.ids[0], "")
	if err != nil {
		return nil, err
	}
	return done, c.cfg.Engine.Revoke(c.ctx, c.acct.ID, r.ID, c.ids[1])
}

func (c *call) resetCredentials() (any, error) {
	_, err := c.reset("")
	return done, err
}

func (c *call) getLimits() (any, error) {
	r, err := c.resource(c.ids[0], "")
	if err != nil {
		return nil, err
	}
	return r.Limits, nil
}

func (c *call) setLimits() (any, error) {
	r, err := c.resource(c.ids[0], "")
	if err != nil {
		return nil, err
	}
	var in meter.Limits
	if err := c.body(&in); err != nil {
		return nil, err
	}
	r, err = c.cfg.Engine.SetLimits(c.ctx, c.acct.ID, r.ID, in)
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

func (c *call) apiKeys() (any, error) {
	keys, err := c.cfg.Engine.APIKeys(c.ctx, c.acct.ID)
	if err != nil {
		return nil, err
	}
	out := make([]apiKey, len(keys))
	for i, k := range keys {
		out[i] = apiKey{ID: k.ID, Name: k.Name, CreatedAt: k.CreatedAt}
	}
	return out, nil
}

func (c *call) createAPIKey() (any, error) {
	var in struct {
		Name string `json:"name"`
	}
	if err := c.body(&in); err != nil {
		return nil, err
	}
	k, text, err := c.cfg.Engine.CreateAPIKey(c.ctx, c.acct.ID, in.Name)
	if err != nil {
		return nil, err
	}
	return apiKey{k.ID, k.Name, k.CreatedAt, text}, nil
}

func (c *call) revokeAPIKey() (any, error) {
	return done, c.cfg.Engine.RevokeAPIKey(c.ctx, c.acct.ID, c.ids[0])
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
func admin(serve func(*call) (any, error)) func(*call) (any, error) {
	return func(c *call) (any, error) {
		if !c.acct.Admin {
			return nil, &refusal{http.StatusForbidden, "only an administrator of the deployment may do that"}
		}
		return serve(c)
	}
}

func (c *call) signingKeys() (any, error) {
	keys, err := c.cfg.Engine.SigningKeys(c.ctx)
	if err != nil {
		return nil, err
	}
	out := make([]signingKey, len(keys))
	for i := range keys {
		out[i] = showSigningKey(&keys[i])
	}
	return out, nil
}

func (c *call) rotateSigningKey() (any, error) {
	k, err := c.cfg.Engine.RotateSigningKey(c.ctx)
	if err != nil {
		return nil, err
	}
	return showSigningKey(k), nil
}

func (c *call) retireSigningKey() (any, error) {
	return done, c.cfg.Engine.RetireSigningKey(c.ctx, c.ids[0])
}
