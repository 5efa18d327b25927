// Package console is the web console: server-rendered pages, a few small scripts, everything
// embedded. It uses the engines directly and is one http.Handler, mounted at [Base], whose
// requests keep their paths.
//
// # Pages
//
// A page is a small Go file that declares it, and one template with its content:
//
//	func topicPages() []*page {
//		return []*page{
//			{route: "GET /r/{id}/topics", title: "Topics", view: "topics", product: control.Kafka,
//				nav: nav{groupData, "Topics", "list"}, serve: showTopics},
//			{route: "POST /r/{id}/topics", title: "Topics", view: "topics", product: control.Kafka, serve: createTopic},
//		}
//	}
//
//	func showTopics(r *request) error {
//		topics, err := r.h.kafka.Topics(r.Context(), r.resource.ID)
//		if err != nil {
//			return err
//		}
//		return r.render(topics)
//	}
//
// Each file's list is one line of allPages. A route is a method and a pattern of http.ServeMux
// below Base; values of the path are r.PathValue("topic"), of the query r.query("cursor"), of a form that was posted
// r.form("name"). A page whose path begins with /r/{id} is one of a resource: r.resource is read from the
// control plane first, and the answer is 404 if it is another account's or of another product than the page's.
// r.account is who has signed in; visitors come to no page but those that say so.
//
// A page answers with one of
//
//	r.render(data)                  its view, templates/pages/<view>.html, in the layout
//	r.renderStatus(422, data)       the same, for a form that is shown again with what is wrong with it
//	r.renderView(422, "topics", …)  another page's view
//	r.fragment(view, name, data)    one template of a view without the layout, for htmx to swap in
//	r.redirect(path, "Saved.")      after a POST; the next page shows the text as a toast. r.path("topics") is
//	                                the address of a page of the resource
//	r.text(s)                       plain text, for buttons that copy (data-copy-url)
//	an error                        notFound("topic"), edge.Refuse(status, text), an error of package control: said to the
//	                                user, in a toast if a form was sent, otherwise as a page. Other errors are logged with a
//	                                code, and the user sees that code. Errors of the products that say something to the
//	                                user have to be turned into refusals by the page
//
// A page that moves (page.moves) is asked for again and again with Accept: text/event-stream, and its render answers with its content
// as one event. Scripts put elements with data-live-part="name", and the charts within data-live-charts, in the place of those that
// are shown; the rest of the page stays. What somebody has the focus in does, too.
//
// Every number has its definition in figure.go, which pages show beside it: {{template "about" (about "errors")}}.
//
// r.say(toast{…}) before r.fragment has htmx show a toast.
//
// # Templates
//
// A page's file defines "content" (and fragments). Data is a [view]: what the page gave is .Data, and
// inside {{with .Data}} the view is still $. Components are in templates/components, each with a comment that shows its
// use: field, check, copy, code, badge, notice, empty, stat, pager, dialog, confirm, chart, tabs. Tables, cards and forms are
// plain HTML with the classes of assets/css; look at templates/pages for how they go together. Functions: count, bytes, dollars,
// latency, time, seconds, ago, product, options, icon; icons are symbols of assets/icons.svg.
//
// Style sheets and scripts are the files of assets/css and assets/js, joined in the order of their names: a group of
// pages may add one of each. Neither inline scripts nor style attributes work: the Content-Security-Policy forbids them.
// Buttons with data-dialog="id" open a dialog, data-copy="text" copies, forms with data-autosubmit are sent when a field
// changes; see assets/js/10-app.js.
//
// # Values
//
// What users have stored is any bytes. Names are in addresses, which hold any bytes, and never in fields of forms.
// previewOf shows a value: text, indented JSON or a dump of bytes, cut where it is large, and a download shows all of it. Forms send a
// value as text, or with escapes if it is none (edited), along with what stands for the value that was shown: if somebody else
// has changed it meanwhile, nothing is overwritten, and what was written is shown again.
//
// # Safety
//
// Every POST must carry the session's token: {{template "csrf" $}} in a form; htmx sends it by itself; scripts use
// skystash.csrf(). It must also come from this origin. Cookies are HttpOnly and SameSite=Strict. Sessions and sign-in links
// are kept, hashed, in the control table in partitions that begin with 'x', see sessions. Attempts to sign in are counted for each
// address and each e-mail address. Pages are not to be stored, framed or run with anything from elsewhere.
//
// Secrets are not in pages: they are fetched by a POST when they are to be shown or copied.
//
// # Tests
//
// newTest in console_test.go opens the console over stores in memory, with an account that has signed in:
//
//	c := newTest(t)
//	res := c.createCluster("events")
//	page := c.get("/r/" + res.ID + "/topics")           // fails unless the status is 200
//	page = c.post("/r/"+res.ID+"/topics", "name", "red") // follows the redirect
//	page.want("red")
//
// integration/console drives the same pages in Chromium.
package console
