package console

import (
	"errors"
	"net/http"

	"github.com/skystash/skystash/pkg/control"
)

func accountPages() []*page {
	return []*page{
		{route: "GET /account", title: "API keys", view: "account", nav: nav{groupManage, "API keys", "key"}, serve: showAccount},
		{route: "POST /account/keys", title: "API keys", view: "account", serve: createAPIKey},
		{route: "POST /account/keys/{key}/revoke", serve: revokeAPIKey},
		{route: "POST /account/sessions/end", serve: endSessions},
		{route: "GET /signing-keys", title: "Signing keys", view: "signing-keys", nav: nav{groupManage, "Signing keys", "shield"}, admin: true, serve: showSigningKeys},
		{route: "POST /signing-keys/rotate", admin: true, serve: rotateSigningKey},
		{route: "POST /signing-keys/{key}/retire", admin: true, serve: retireSigningKey},
	}
}

// accountPage is what the view "account" shows.
type accountPage struct {
	Keys   []control.APIKey
	Most   int
	Name   string // of the key that is to be made
	Errors formErrors

	// The key that has just been made; its text is shown this once.
	New     *control.APIKey
	NewText string
}

func (r *request) accountPage() (accountPage, error) {
	keys, err := r.h.control.APIKeys(r.Context(), r.account.ID)
	return accountPage{Keys: keys, Most: control.MaxAPIKeys, Errors: formErrors{}}, err
}

func showAccount(r *request) error {
	data, err := r.accountPage()
	if err != nil {
		return err
	}
	return r.render(data)
}

// createAPIKey shows the key in its answer: it is kept nowhere for another page to show.
func createAPIKey(r *request) error {
	name := r.form("name")
	create := r.h.control.CreateAPIKey
	if r.form("metrics") != "" {
		create = r.h.control.CreateMetricsKey
	}
	key, text, err := create(r.Context(), r.account.ID, name)
	var refusal *control.Error
	if err != nil && !errors.As(err, &refusal) {
		return err
	}
	data, err := r.accountPage()
	if err != nil {
		return err
	}
	if refusal != nil {
		data.Name, data.Errors["name"] = name, sentence(refusal.Text)
		return r.renderStatus(http.StatusUnprocessableEntity, data)
	}
	data.New, data.NewText = &key, text
	return r.render(data)
}

// revokeAPIKey also ends the other sessions: they may have been opened with that key.
func revokeAPIKey(r *request) error {
	if err := r.h.control.RevokeAPIKey(r.Context(), r.account.ID, r.PathValue("key")); err != nil {
		return err
	}
	if err := r.h.sessions.endOthers(r.Context(), r.secret); err != nil {
		return err
	}
	return r.redirect(Base+"/account", "The key opens nothing any more, and all other sessions have ended.")
}

func endSessions(r *request) error {
	if err := r.h.sessions.endOthers(r.Context(), r.secret); err != nil {
		return err
	}
	return r.redirect(Base+"/account", "All other sessions have ended.")
}

func showSigningKeys(r *request) error {
	keys, err := r.h.control.SigningKeys(r.Context())
	if err != nil {
		return err
	}
	return r.render(keys)
}

func rotateSigningKey(r *request) error {
	key, err := r.h.control.RotateSigningKey(r.Context())
	if err != nil {
		return err
	}
	return r.redirect(Base+"/signing-keys", "Tokens are signed with "+key.ID+" in a few seconds. Older ones stay valid.")
}

func retireSigningKey(r *request) error {
	if err := r.h.control.RetireSigningKey(r.Context(), r.PathValue("key")); err != nil {
		return err
	}
	return r.redirect(Base+"/signing-keys", "Tokens that were signed with the key are refused from now on.")
}
