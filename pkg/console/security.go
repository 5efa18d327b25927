package console

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
)

// contentSecurityPolicy lets pages use nothing but the console's own files: no inline scripts
// and styles, no frames, no other hosts. Images may be data: of style sheets.
const contentSecurityPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; " +
	"connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

func (h *Handler) secureHeaders(header http.Header) {
	header.Set("Content-Security-Policy", contentSecurityPolicy)
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("X-Frame-Options", "DENY")
	header.Set("Referrer-Policy", "same-origin")
	header.Set("Cross-Origin-Opener-Policy", "same-origin")
	header.Set("Cross-Origin-Resource-Policy", "same-origin")
	header.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()")
	if h.secure {
		header.Set("Strict-Transport-Security", "max-age=31536000")
	}
}

// cookieName returns a cookie's full name. With HTTPS it begins with __Host-, so that other hosts
// of the domain cannot set the cookie.
func (h *Handler) cookieName(name string) string {
	if h.secure {
		return "__Host-" + name
	}
	return name
}

func (h *Handler) sessionCookie() string { return h.cookieName("skystash_session") }
func (h *Handler) visitorCookie() string { return h.cookieName("skystash_visitor") }
func (h *Handler) toastCookie() string   { return h.cookieName("skystash_toast") }

// themeCookie is set by scripts.
const themeCookie = "skystash_theme"

func (r *request) cookie(name string) string {
	c, err := r.Cookie(name)
	if err != nil {
		return ""
	}
	return c.Value
}

// setCookie sets a cookie that scripts cannot read and that other sites' requests do not carry. A
// negative age deletes it.
func (r *request) setCookie(name, value string, maxAge int) {
	path := Base
	if r.h.secure {
		path = "/" // which __Host- asks for
	}
	http.SetCookie(r.w, &http.Cookie{ // #nosec G124 -- Secure is left out only where a developer has no HTTPS
		Name: name, Value: value, Path: path, MaxAge: maxAge,
		HttpOnly: true, Secure: r.h.secure, SameSite: http.SameSiteStrictMode,
	})
}

// newSecret makes a text of 256 random bits.
func newSecret() string {
	var b [32]byte
	_, _ = rand.Read(b[:]) // never fails
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// identifyVisitor gives a visitor who is not signed in a secret. The sign-in form needs it for its
// token against cross-site requests.
func (r *request) identifyVisitor() error {
	r.secret = r.cookie(r.h.visitorCookie())
	if len(r.secret) < 43 || len(r.secret) > 64 {
		r.secret = newSecret()
		r.setCookie(r.h.visitorCookie(), r.secret, 3600)
	}
	return nil
}

// mac is the message authentication code of a text: only who knows the secret can make it.
func mac(secret, purpose, text string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(purpose + "\x00" + text))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// csrfToken is what forms of a session prove with that they come from its pages.
func csrfToken(secret string) string { return mac(secret, "csrf", "") }

func validCSRF(secret, sent string) bool {
	return secret != "" && subtle.ConstantTimeCompare([]byte(csrfToken(secret)), []byte(sent)) == 1
}

// toast is a short message about what has been done.
type toast struct {
	Text string `json:"text"`
	Tone string `json:"tone,omitempty"` // "bad": it has failed
}

// toastTrigger is a header's value with which htmx shows a toast.
func toastTrigger(t toast) string {
	text, _ := json.Marshal(map[string]toast{"toast": t}) // strings always can be
	var ascii strings.Builder
	for _, c := range string(text) {
		if c < 0x80 {
			ascii.WriteRune(c)
		} else {
			ascii.WriteString(escapeRune(c))
		}
	}
	return ascii.String()
}

// keepToast keeps a toast for the next page.
func (r *request) keepToast(t *toast) {
	text, _ := json.Marshal(t)
	value := base64.RawURLEncoding.EncodeToString(text)
	if len(value) > 3000 {
		return
	}
	r.setCookie(r.h.toastCookie(), value+"."+mac(r.secret, "toast", value), 60)
}

// takeToast takes the toast that the page before has left. A part of a page leaves it alone.
func (r *request) takeToast() {
	value, code, ok := strings.Cut(r.cookie(r.h.toastCookie()), ".")
	if !ok || r.isHTMX() || r.Method != http.MethodGet {
		return
	}
	r.setCookie(r.h.toastCookie(), "", -1)
	if !hmac.Equal([]byte(mac(r.secret, "toast", value)), []byte(code)) {
		return
	}
	text, err := base64.RawURLEncoding.DecodeString(value)
	if err != nil {
		return
	}
	t := &toast{}
	if json.Unmarshal(text, t) == nil {
		r.toast = t
	}
}
