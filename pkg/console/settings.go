package console

import (
	"errors"
	"net/http"

	"github.com/skystash/skystash/pkg/control"
	"github.com/skystash/skystash/pkg/edge"
)

func settingsPages() []*page {
	return []*page{
		{route: "GET /r/{id}/settings", title: "Settings", view: "settings", nav: nav{groupManage, "Settings", "settings"}, serve: showSettings},
		{route: "POST /r/{id}/settings/name", title: "Settings", view: "settings", serve: rename},
		{route: "POST /r/{id}/settings/limits", title: "Settings", view: "settings", serve: setLimits},
		{route: "POST /r/{id}/settings/eviction", product: control.Redis, serve: setEviction},
		{route: "POST /r/{id}/settings/delete", serve: deleteResource},
	}
}

// settings is what the view "settings" shows.
type settings struct {
	Name   string
	Limits limitsForm
	Errors formErrors
}

func showSettings(r *request) error {
	return r.render(settings{Name: r.resource.Name, Limits: newLimitsForm(r.resource.Limits)})
}

// refuseSettings shows the form again, with what control says about a field.
func (r *request) refuseSettings(data settings, field string, err error) error {
	var refusal *control.Error
	if err != nil && (!errors.As(err, &refusal) || refusal.Kind != control.Invalid) {
		return err
	}
	if err != nil {
		data.Errors[field] = sentence(refusal.Text)
	}
	return r.renderStatus(http.StatusUnprocessableEntity, data)
}

func rename(r *request) error {
	data := settings{Name: r.form("name"), Limits: newLimitsForm(r.resource.Limits), Errors: formErrors{}}
	if _, err := r.h.control.Rename(r.Context(), r.account.ID, r.resource.ID, data.Name); err != nil {
		return r.refuseSettings(data, "name", err)
	}
	return r.redirect(r.path("settings"), "It is called "+data.Name+" now.")
}

func setLimits(r *request) error {
	data := settings{Name: r.resource.Name, Errors: formErrors{}}
	var err error
	form, limits := r.readLimits(data.Errors)
	data.Limits = form
	if len(data.Errors) == 0 {
		_, err = r.h.control.SetLimits(r.Context(), r.account.ID, r.resource.ID, limits)
	}
	if err != nil || len(data.Errors) > 0 {
		return r.refuseSettings(data, "budget", err)
	}
	return r.redirect(r.path("settings"), "The limits are saved. They are checked as usage is counted, within a minute or so.")
}

func setEviction(r *request) error {
	on := r.form("eviction") != ""
	if _, err := r.h.control.SetEviction(r.Context(), r.account.ID, r.resource.ID, on); err != nil {
		return err
	}
	if on {
		return r.redirect(r.path("settings"), "Eviction is on.")
	}
	return r.redirect(r.path("settings"), "Eviction is off.")
}

func deleteResource(r *request) error {
	if r.form("confirm") != r.resource.Name {
		return edge.Refuse(http.StatusUnprocessableEntity, "The name did not match, so nothing was deleted.")
	}
	if err := r.h.control.Delete(r.Context(), r.account.ID, r.resource.ID); err != nil {
		return err
	}
	return r.redirect(Base+"/", r.resource.Name+" is deleted.")
}
