package console

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/skystash/skystash/pkg/control"
	"github.com/skystash/skystash/pkg/edge"
)

// request is a request to a page, with what the page may use.
type request struct {
	*http.Request
	h    *Handler
	w    http.ResponseWriter
	page *page

	secret   string            // of the session's or the visitor's cookie
	session  *session          // nil: a visitor
	account  *control.Account  // nil: a visitor
	resource *control.Resource // of a resource's page, otherwise nil

	toast *toast // shown with the page
}

// serve checks all that does not depend on the page, and has it answer.
func (r *request) serve() error {
	if err := r.identify(); err != nil {
		return err
	}
	if r.Method == http.MethodPost {
		if err := r.checkPost(); err != nil {
			return err
		}
	}
	if r.account == nil && !r.page.visitor {
		return r.signInFirst()
	}
	if r.page.admin && !r.account.Admin || r.page.local && r.h.live == nil {
		return errNoPage
	}
	if r.page.ofResource() {
		res, err := r.h.control.Resource(r.Context(), r.account.ID, r.PathValue("id"))
		if err != nil {
			return err
		}
		if r.page.product != "" && r.page.product != res.Product {
			return errNoPage
		}
		r.resource = res
	}
	return r.page.serve(r)
}

// identify finds out whose request it is.
func (r *request) identify() error {
	r.secret = r.cookie(r.h.sessionCookie())
	if r.secret != "" {
		s, err := r.h.sessions.find(r.Context(), r.secret)
		if err != nil {
			return err
		}
		if s != nil {
			acct, err := r.accountOf(s)
			switch {
			case err == nil:
				r.session, r.account = s, acct
			case !control.IsKind(err, control.NotFound) && !control.IsKind(err, control.Unauthorized):
				return err
			}
		}
	}
	if r.session == nil {
		return r.identifyVisitor()
	}
	r.takeToast()
	return nil
}

// accountOf reads the account of a session. A session ends with the API key that it was begun with.
func (r *request) accountOf(s *session) (*control.Account, error) {
	if s.By == byLink {
		return r.h.control.Account(r.Context(), s.Account)
	}
	return r.h.control.SignedIn(r.Context(), s.Account, s.By)
}

// checkPost refuses a POST that may have come from another site, or from a page of another session.
func (r *request) checkPost() error {
	if err := r.h.origins.Check(r.Request); err != nil {
		return errCrossSite
	}
	sent := r.Header.Get("X-CSRF-Token")
	if sent == "" {
		if err := r.parseForm(); err != nil {
			return err
		}
		sent = r.PostForm.Get("csrf")
	}
	if !validCSRF(r.secret, sent) {
		return errStaleForm
	}
	return r.parseForm()
}

// parseForm reads the form that was posted; only the first call does anything.
func (r *request) parseForm() error {
	if r.PostForm != nil {
		return nil
	}
	limit := r.page.maxBody
	if limit == 0 {
		limit = defaultMaxBody
	}
	body := edge.BodyOf(r.Request)
	var text bytes.Buffer
	if err := body.ReadTo(&text, limit, edge.DrainOf(limit)); err != nil {
		if errors.As(err, new(*edge.TooLargeError)) {
			return errTooLarge
		}
		return edge.Refuse(edge.Of(err).Status, "This form cannot be read.")
	}
	r.Body = io.NopCloser(&text)
	if err := r.ParseForm(); err != nil {
		return edge.Refuse(http.StatusBadRequest, "This form cannot be read.")
	}
	return nil
}

// form is a value of the form that was posted, without space around it.
func (r *request) form(name string) string { return strings.TrimSpace(r.PostForm.Get(name)) }

// query is a value of the address.
func (r *request) query(name string) string { return r.URL.Query().Get(name) }

// path is the address of a page of the resource: path("usage") is /console/r/<id>/usage.
// Elements are escaped.
func (r *request) path(elements ...string) string {
	path := Base + "/r/" + url.PathEscape(r.resource.ID)
	for _, e := range elements {
		path += "/" + url.PathEscape(e)
	}
	return path
}

// isHTMX reports whether htmx asks, for a part of a page.
func (r *request) isHTMX() bool { return r.Header.Get("HX-Request") == "true" }

// render answers with the page's view. Its templates find data in .Data.
func (r *request) render(data any) error { return r.renderStatus(http.StatusOK, data) }

// renderStatus answers with the page's view and a status, such as 422 for a form with errors.
func (r *request) renderStatus(status int, data any) error {
	return r.renderView(status, r.page.view, r.page.title, data)
}

// renderView answers with another page's view: that of the form which was posted.
func (r *request) renderView(status int, view, title string, data any) error {
	layout := "layout"
	if r.account == nil {
		layout = "lone"
	}
	v, err := r.newView(title, data)
	if err != nil {
		return err
	}
	if r.wantsEvents() && status == http.StatusOK {
		return r.sendContent(view, v)
	}
	v.Moves = r.page.moves
	if layout == "layout" {
		v.Nav = r.h.navigation(r.page, r.account, r.resource)
		if r.resource != nil {
			if v.Resources, err = r.h.control.Resources(r.Context(), r.account.ID); err != nil {
				return err
			}
		}
	}
	return r.execute(status, view, layout, v)
}

// fragment answers with one template of a view, for htmx to put into the page.
func (r *request) fragment(view, name string, data any) error {
	v, err := r.newView("", data)
	if err != nil {
		return err
	}
	return r.execute(http.StatusOK, view, name, v)
}

// redirect goes on to another page, which shows a toast unless it is "".
func (r *request) redirect(path, text string) error {
	return r.redirectToast(path, &toast{Text: text})
}

func (r *request) redirectToast(path string, t *toast) error {
	if t != nil && t.Text != "" && r.session != nil {
		r.keepToast(t)
	}
	if r.isHTMX() {
		r.w.Header().Set("HX-Redirect", path)
		r.w.WriteHeader(http.StatusNoContent)
		return nil
	}
	http.Redirect(r.w, r.Request, path, http.StatusSeeOther)
	return nil
}

// text answers with a text, such as one that is copied.
func (r *request) text(s string) error {
	r.w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, err := r.w.Write([]byte(s))
	return err
}

// say lets htmx show a toast beside what the answer is otherwise.
func (r *request) say(t toast) {
	r.w.Header().Set("HX-Trigger", toastTrigger(t))
}

// signInFirst sends a visitor to the sign-in page, and back afterwards.
func (r *request) signInFirst() error {
	if r.wantsEvents() {
		return edge.Refuse(http.StatusUnauthorized, "You are signed out.") // a redirection would be followed, again and again
	}
	path := Base + "/sign-in"
	if r.Method == http.MethodGet && !r.isHTMX() && r.URL.Path != Base+"/" {
		path += "?next=" + url.QueryEscape(r.URL.RequestURI())
	}
	return r.redirect(path, "")
}

// back is the console's page that a form was on.
func (r *request) back() string {
	u, err := url.Parse(r.Referer())
	if err != nil || u.Host != r.Host || !Serves(u.Path) {
		return Base + "/"
	}
	return localPath(u.RequestURI())
}

// localPath is a path of the console to go on to; anything else becomes the overview.
func localPath(next string) string {
	u, err := url.Parse(next)
	if err != nil || u.Scheme != "" || u.Host != "" || !Serves(u.Path) || strings.ContainsAny(next, "\\\r\n") {
		return Base + "/"
	}
	// Browsers resolve dots, escaped ones too: /console/../x is elsewhere.
	for segment := range strings.SplitSeq(u.Path, "/") {
		if segment == "." || segment == ".." {
			return Base + "/"
		}
	}
	return next
}

// say of a page that it cannot be: see fail.
func notFound(what string) error {
	return edge.Refuse(http.StatusNotFound, fmt.Sprintf("There is no such %s.", what))
}
