package console

import (
	"context"
	"errors"
	"net/http"

	"github.com/skystash/skystash/pkg/control"
	"github.com/skystash/skystash/pkg/edge"
	"github.com/skystash/skystash/pkg/store"
)

// Refusals have texts for people.
var (
	errNoPage    = edge.Refuse(http.StatusNotFound, "There is no such page, or it belongs to another account.")
	errCrossSite = edge.Refuse(http.StatusForbidden, "This form was sent from another site, so nothing was done.")
	errStaleForm = edge.Refuse(http.StatusForbidden, "This page is from another session, so nothing was done. Reload it and try again.")
	errTooLarge  = edge.Refuse(http.StatusRequestEntityTooLarge, "That is too large to be sent in a form.")
)

// refused returns the refusal to show for an error, or nil if the error is internal.
func refused(err error) *edge.Error {
	var ours *edge.Error
	var controls *control.Error
	switch {
	case errors.As(err, &ours) && ours.Err == nil:
		return ours
	case errors.As(err, &controls):
		switch controls.Kind {
		case control.NotFound:
			return errNoPage
		case control.Unauthorized, control.Denied:
			return edge.Refuse(http.StatusForbidden, sentence(controls.Text))
		case control.Exists, control.Quota:
			return edge.Refuse(http.StatusConflict, sentence(controls.Text))
		}
		return edge.Refuse(http.StatusUnprocessableEntity, sentence(controls.Text))
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

// whatHappened says to people what the status of a failure of ours means for what they did. Everything else may be
// tried again.
var whatHappened = map[int]string{
	http.StatusInternalServerError: "It is not known whether this was done. Look at the result before you try again; if it keeps failing, look for the code below in the log.",
	http.StatusServiceUnavailable:  "The database is busy or cannot be reached. Nothing was done; try again in a moment.",
	http.StatusGatewayTimeout:      "This took too long and was given up. Look at the result before you try again.",
}

// fail answers a request that has failed: with a toast where a form was sent and is at fault,
// otherwise with a page.
func (r *request) fail(err error) {
	if errors.Is(context.Cause(r.Context()), context.Canceled) { // who has asked is gone, as is a page that followed a log
		r.w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	var e *edge.Error
	data := errorPage{}
	if e = refused(err); e != nil {
		data.Text, data.Title = e.Text, http.StatusText(e.Status)
		if e.Status == http.StatusNotFound {
			data.Title = "Page not found"
		}
	} else {
		e = edge.Report(r.Context(), r.h.log, err, "method", r.Method, "path", r.URL.Path)
		data.Code, data.Title = e.ID, "Something went wrong"
		data.Text = "The request could not be completed. It is safe to try again; if it keeps failing, look for the code below in the log."
		if text := whatHappened[e.Status]; text != "" && (e.Status != http.StatusInternalServerError || errors.Is(err, store.ErrUnknownOutcome)) {
			data.Text = text
		}
	}
	status := e.Status
	e.SetHeader(edge.HTTPHeader(r.w.Header()))
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
