package console

import (
	"net/http"
	"slices"
	"strings"

	"github.com/skystash/skystash/pkg/control"
)

// page is a page of the console, or an action of one. See the package comment.
type page struct {
	route   string               // method and path below Base, such as "GET /r/{id}/usage"
	title   string               // of the document
	view    string               // file of templates/pages without its suffix; "": it shows nothing of its own
	product control.Product      // of a resource's pages: the product they are for; "": any
	nav     nav                  // its entry in the navigation; zero: none
	visitor bool                 // it is for visitors, too, who have not signed in
	admin   bool                 // it is for accounts that administrate the deployment
	moves   bool                 // it shows what changes, and asks for it again and again, see live.go
	local   bool                 // it is only there in a server that knows what it has answered of late, see Config.Live
	maxBody int64                // bytes of a request's body; 0: defaultMaxBody
	serve   func(*request) error // answers, or says why not
}

// nav is an entry of the navigation. Entries are in the order of their pages.
type nav struct {
	group group
	label string
	icon  string // of icons.svg
}

// group is a part of the navigation.
type group int

const (
	groupMain   group = iota + 1 // first, without a title
	groupData                    // what a resource holds
	groupManage                  // how a resource is managed
)

var groupTitles = map[group]string{groupMain: "", groupData: "Data", groupManage: "Manage"}

// defaultMaxBody bounds forms.
const defaultMaxBody = 1 << 20

// resourcePath begins the paths of a resource's pages.
const resourcePath = "/r/{id}"

// allPages are all pages. Each file contributes its own.
func allPages() []*page {
	return slices.Concat(
		signInPages(),
		overviewPages(),
		createPages(),
		resourcePages(),
		livePages(),
		redisBrowserPages(),
		redisCLIPages(),
		kafkaTopicPages(),
		kafkaMessagePages(),
		kafkaGroupPages(),
		qstashMessagePages(),
		qstashSchedulePages(),
		qstashQueuePages(),
		qstashRunPages(),
		qstashDLQPages(),
		qstashFlowPages(),
		qstashHostPages(),
		qstashLogPages(),
		qstashDeliveryPages(),
		qstashMetricsPages(),
		credentialPages(),
		usagePages(),
		settingsPages(),
		accountPages(),
	)
}

// Routes lists all pages and actions, each with its method and its path below Base: "GET /r/{id}/usage".
// Tests of other packages go through all of them.
func Routes() []string {
	var routes []string
	for _, p := range allPages() {
		routes = append(routes, p.route)
	}
	return routes
}

// missingPage answers paths that there are no pages for.
var missingPage = &page{route: "GET /", title: "Not found", serve: func(*request) error { return errNoPage }}

func (p *page) method() string {
	method, _, _ := strings.Cut(p.route, " ")
	return method
}

func (p *page) path() string {
	_, path, _ := strings.Cut(p.route, " ")
	return path
}

// pattern is the page's pattern for http.ServeMux.
func (p *page) pattern() string {
	path := Base + p.path()
	if strings.HasSuffix(path, "/") {
		path += "{$}"
	}
	return p.method() + " " + path
}

// ofResource reports whether the page is one of a resource.
func (p *page) ofResource() bool {
	return p.path() == resourcePath || strings.HasPrefix(p.path(), resourcePath+"/")
}

// navGroup and navLink are the navigation as the layout shows it.
type navGroup struct {
	Title string
	Links []navLink
}

type navLink struct {
	URL, Label, Icon string
	Current          bool
}

// navigation is what can be reached from a page: the pages of its resource, or those of the account.
func (h *Handler) navigation(current *page, acct *control.Account, res *control.Resource) []navGroup {
	var groups []navGroup
	for _, g := range []group{groupMain, groupData, groupManage} {
		list := navGroup{Title: groupTitles[g]}
		for _, p := range h.pages {
			if p.nav.group != g || p.ofResource() != (res != nil) || p.admin && !acct.Admin || p.local && h.live == nil || res != nil && p.product != "" && p.product != res.Product {
				continue
			}
			url := Base + p.path()
			if res != nil {
				url = strings.Replace(url, "{id}", res.ID, 1)
			}
			list.Links = append(list.Links, navLink{
				URL: url, Label: p.nav.label, Icon: p.nav.icon,
				Current: p == current || p.method() == http.MethodGet && p.path() != resourcePath && p.path() != "/" &&
					strings.HasPrefix(current.path(), p.path()+"/"),
			})
		}
		if len(list.Links) > 0 {
			groups = append(groups, list)
		}
	}
	return groups
}
