package console

import (
	"context"
	"fmt"
	"math"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/skystash/skystash/pkg/control"
)

func signInPages() []*page {
	return []*page{
		{route: "GET /sign-in", title: "Sign in", view: "signin", visitor: true, serve: showSignIn},
		{route: "POST /sign-in", title: "Sign in", view: "signin", visitor: true, maxBody: 16 << 10, serve: signIn},
		{route: "GET /sign-in/link", title: "Sign in", view: "signin-link", visitor: true, serve: showSignInLink},
		{route: "POST /sign-in/link", title: "Sign in", view: "signin", visitor: true, maxBody: 16 << 10, serve: useSignInLink},
		{route: "POST /sign-out", serve: signOut},
	}
}

// signInForm is what the view "signin" shows.
type signInForm struct {
	Email, Next, Error string
}

func showSignIn(r *request) error {
	if r.account != nil {
		return r.redirect(localPath(r.query("next")), "")
	}
	return r.render(signInForm{Next: r.query("next")})
}

func signIn(r *request) error {
	form := signInForm{Email: r.form("email"), Next: r.form("next")}
	acct, key, err := r.h.control.SignIn(r.Context(), form.Email, r.form("key"))
	if control.IsKind(err, control.Unauthorized) {
		form.Error = "That e-mail address and API key do not belong together. Check for a missing character and try again."
		return r.failedToSignIn(form)
	}
	if err != nil {
		return err
	}
	return r.beginSession(acct.ID, key, form.Next)
}

// failedToSignIn counts a failed attempt of an address and answers. Only failures count, and only after
// the key was checked: nobody can keep an owner out, who has the key.
func (r *request) failedToSignIn(form signInForm) error {
	wait, err := r.h.sessions.failed(r.Context(), "address "+r.address())
	if err != nil {
		return err
	}
	if wait == 0 {
		return r.asVisitor(http.StatusUnauthorized, form)
	}
	r.w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(wait.Seconds()))))
	form.Error = fmt.Sprintf("There were too many failed attempts to sign in. Try again in %s.", minutes(wait))
	return r.asVisitor(http.StatusTooManyRequests, form)
}

func minutes(d time.Duration) string {
	if n := int(math.Ceil(d.Minutes())); n > 1 {
		return fmt.Sprintf("%d minutes", n)
	}
	return "a minute"
}

// asVisitor shows the sign-in form again, to someone who may be signed in as somebody else.
func (r *request) asVisitor(status int, form signInForm) error {
	r.account, r.session = nil, nil
	return r.renderStatus(status, form)
}

// address is where a request comes from, without its port.
func (r *request) address() string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

// beginSession signs in with an API key or a link, see session.By. A session that there was is over.
func (r *request) beginSession(account, by, next string) error {
	if err := r.h.sessions.end(r.Context(), r.cookie(r.h.sessionCookie())); err != nil {
		return err
	}
	secret, err := r.h.sessions.create(r.Context(), account, by)
	if err != nil {
		return err
	}
	r.setCookie(r.h.sessionCookie(), secret, int(sessionTime.Seconds()))
	r.setCookie(r.h.visitorCookie(), "", -1)
	http.Redirect(r.w, r.Request, localPath(next), http.StatusSeeOther)
	return nil
}

// SignInLink makes the path and query of a link that signs in to an account once, within a time.
func (h *Handler) SignInLink(ctx context.Context, account string, valid time.Duration) (string, error) {
	secret, err := h.sessions.newLink(ctx, account, valid)
	if err != nil {
		return "", err
	}
	return Base + "/sign-in/link?" + url.Values{"key": {secret}}.Encode(), nil
}

// showSignInLink asks the browser to post the link's secret: links are also followed by what
// only looks at them, such as previews, and SameSite cookies want the page to come from here.
func showSignInLink(r *request) error {
	r.account, r.session = nil, nil
	return r.render(r.query("key"))
}

func useSignInLink(r *request) error {
	form := signInForm{}
	account, err := r.h.sessions.useLink(r.Context(), r.form("key"))
	if err != nil {
		return err
	}
	if account == "" {
		form.Error = "This sign-in link has been used already, or it is too old. Sign in with your e-mail address and an API key."
		return r.failedToSignIn(form)
	}
	return r.beginSession(account, byLink, "")
}

func signOut(r *request) error {
	if err := r.h.sessions.end(r.Context(), r.secret); err != nil {
		return err
	}
	r.setCookie(r.h.sessionCookie(), "", -1)
	r.setCookie(r.h.toastCookie(), "", -1)
	http.Redirect(r.w, r.Request, Base+"/sign-in", http.StatusSeeOther)
	return nil
}
