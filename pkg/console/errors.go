package console

import (
	"crypto/rand"
	"errors"
	"net/http"

	"github.com/skystash/skystash/pkg/control"
)

// refusal is an answer to a request that is at fault. The text is for people.
type refusal struct {
	status int
	text   string
}

func (e *refusal) Error() string { return e.text }

var (
	errNoPage    = &refusal{http.StatusNotFound, "There is no such page, or it belongs to another account."}
	errCrossSite = &refusal{http.StatusForbidden, "This form was sent from another site, so nothing was done."}
	errStaleForm = &refusal{http.StatusForbidden, "This page is from another session, so nothing was done. Reload it and try again."}
	errTooLarge  = &refusal{http.StatusRequestEntityTooLarge, "That is too large to be sent in a form."}
)

// refused is what an error says to people; nil if it says nothing to them.
func refused(err error) *refusal {
	var ours *refusal
	var controls *control.Error
	switch {
	case errors.As(err, &ours):
		return ours
	case errors.As(err, &controls):
		switch controls.Kind {
		case control.NotFound:
			return errNoPage
		case control.Unauthorized, control.Denied:
			return &refusal{http.StatusForbidden, sentence(controls.Text)}
		case control.Exists, control.Quota:
			return &refusal{http.StatusConflict, sentence(controls.Text)}
		}
		return &refusal{http.StatusUnprocessableEntity, sentence(controls.Text)}
	}
	return nil
}

// errorPage is what the view "error" shows.
type errorPage struct {
	Status int
	Title  string
	Text   string
	Code   string // names the log's line; "": there is none
}

// fail answers a request that has failed: with a toast where a form was sent and is at fault,
// otherwise with a page.
func (r *request) fail(err error) {
	status, data := http.StatusInternalServerError, errorPage{
		Title: "Something went wrong",
		Text:  "The request could not be completed. It is safe to try again; if it keeps failing, look for the code below in the log.",
	}
	if ref := refused(err); ref != nil {
		status, data.Text, data.Title = ref.status, ref.text, http.StatusText(ref.status)
		if status == http.StatusNotFound {
			data.Title = "Page not found"
		}
	} else {
		data.Code = rand.Text()[:10]
		r.h.log.ErrorContext(r.Context(), "the console failed", "code", data.Code, "method", r.Method, "path", r.URL.Path, "error", err)
	}
	data.Status = status
	bad := toast{Text: data.Text, Tone: "bad"}
	switch {
	case r.isHTMX():
		r.w.Header().Set("HX-Reswap", "none")
		r.say(bad)
		r.w.WriteHeader(status)
		return
	case r.Method == http.MethodPost && r.session != nil && status < 500 && status != http.StatusForbidden && r.Header.Get("Accept") != "text/plain":
		if r.redirectToast(r.back(), &bad) == nil {
			return
		}
	}
	if err := r.renderView(status, "error", data.Title, data); err != nil {
		r.h.log.ErrorContext(r.Context(), "the console's error page failed", "error", err)
		http.Error(r.w, data.Title, http.StatusInternalServerError)
	}
}
