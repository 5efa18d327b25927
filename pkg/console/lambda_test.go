package console

import (
	"encoding/base64"
	"log/slog"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/skystash/skystash/pkg/lambdahttp"
)

// TestSigningInBehindAnHTTPAPI sees to it that cookies, forms and compressed files make it through events.
func TestSigningInBehindAnHTTPAPI(t *testing.T) {
	c := newTest(t)
	h, err := New(Config{Control: c.control, Book: c.console.book, Store: c.store, SecureCookies: true, Now: c.console.now})
	c.ok(err)
	handle := lambdahttp.New(h, slog.New(slog.DiscardHandler))
	var cookies []string
	ask := func(method, target, body string, headers map[string]string) events.APIGatewayV2HTTPResponse {
		t.Helper()
		path, query, _ := strings.Cut(target, "?")
		if headers == nil {
			headers = map[string]string{}
		}
		headers["host"] = "console.example"
		var event events.APIGatewayV2HTTPRequest
		event.Version, event.RawPath, event.RawQueryString, event.Body, event.Headers, event.Cookies = "2.0", path, query, body, headers, cookies
		event.RequestContext.DomainName = "console.example"
		event.RequestContext.HTTP.Method, event.RequestContext.HTTP.Path, event.RequestContext.HTTP.SourceIP = method, path, "192.0.2.7"
		resp, err := handle(t.Context(), event)
		c.ok(err)
		for _, set := range append(resp.Cookies, resp.MultiValueHeaders["Set-Cookie"]...) {
			pair, _, _ := strings.Cut(set, ";")
			if !strings.HasSuffix(pair, "=") {
				cookies = append(cookies, pair)
			}
		}
		return resp
	}
	link, err := h.SignInLink(t.Context(), c.admin.ID, time.Minute)
	c.ok(err)
	page := ask("GET", link, "", nil)
	csrf := csrfMeta.FindStringSubmatch(page.Body)
	if page.StatusCode != 200 || csrf == nil || len(cookies) != 1 {
		t.Fatalf("status %d, cookies %q, %s", page.StatusCode, cookies, page.Body)
	}
	_, key, _ := strings.Cut(link, "key=")
	form := url.Values{"csrf": {csrf[1]}, "key": {key}}.Encode()
	page = ask("POST", Base+"/sign-in/link", form, map[string]string{
		"content-type": "application/x-www-form-urlencoded", "origin": "https://console.example", "sec-fetch-site": "same-origin",
	})
	if page.StatusCode != 303 {
		t.Fatalf("status %d: %s", page.StatusCode, page.Body)
	}
	page = ask("GET", Base+"/", "", nil)
	if page.StatusCode != 200 || !strings.Contains(page.Body, "Nothing here yet") {
		t.Errorf("status %d with cookies %q: %s", page.StatusCode, cookies, page.Body)
	}
	css := ask("GET", Base+"/assets/"+h.assets.byName["app.css"].path, "", map[string]string{"accept-encoding": "gzip, br"})
	if zipped, err := base64.StdEncoding.DecodeString(css.Body); err != nil || !css.IsBase64Encoded || !strings.HasPrefix(string(zipped), "\x1f\x8b") {
		t.Errorf("the style sheet came as %.20q, %v", css.Body, err)
	}
}
