package console

import (
	"cmp"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/skystash/skystash/pkg/control"
	"github.com/skystash/skystash/pkg/edge"
	"github.com/skystash/skystash/pkg/token"
)

func credentialPages() []*page {
	return []*page{
		{route: "GET /r/{id}/credentials", title: "Credentials", view: "credentials", nav: nav{groupManage, "Credentials", "key"}, serve: showCredentials},
		{route: "GET /r/{id}/credentials/new", title: "New credential", view: "credential-new", serve: showIssue},
		{route: "POST /r/{id}/credentials/new", title: "New credential", view: "credential-new", serve: issueCredential},
		{route: "POST /r/{id}/credentials/reset", serve: resetCredentials},
		{route: "POST /r/{id}/credentials/{credential}/token", view: "credentials", serve: showToken},
		{route: "POST /r/{id}/credentials/{credential}/revoke", serve: revokeCredential},
	}
}

// credentialRow is a credential as the table shows it.
type credentialRow struct {
	control.Credential
	Access  string
	Details []string // rules, topics or destinations
	Expired bool
}

// credentialList is what the view "credentials" shows.
type credentialList struct {
	Rows  []credentialRow
	Users []userRow // of Redis
}

// userRow is a user of the database's access control list.
type userRow struct {
	control.User
	Maker string // for people
}

// userRows lists the users of a database with their makers.
func (r *request) userRows(creds []control.Credential) ([]userRow, error) {
	users, err := r.h.control.Users(r.Context(), r.account.ID, r.resource.ID)
	if err != nil {
		return nil, err
	}
	names := map[string]string{"": "The console"}
	for _, c := range creds {
		names[c.ID] = c.Name
	}
	rows := make([]userRow, len(users))
	for i, u := range users {
		rows[i] = userRow{u, cmp.Or(names[u.Credential], u.Credential)}
		if u.MadeBy != "" {
			rows[i].Maker = u.MadeBy + ", by way of " + rows[i].Maker
		}
	}
	return rows, nil
}

func showCredentials(r *request) error {
	creds, err := r.h.control.Credentials(r.Context(), r.account.ID, r.resource.ID)
	if err != nil {
		return err
	}
	users, err := r.userRows(creds)
	if err != nil {
		return err
	}
	rows := make([]credentialRow, len(creds))
	for i, c := range creds {
		rows[i] = credentialRow{Credential: c, Access: "Read and write", Expired: !c.Expires.IsZero() && !c.Expires.After(r.h.now())}
		if c.Scope == token.ReadOnly {
			rows[i].Access = "Read only"
		}
		rows[i].Details = append(rows[i].Details, c.Rules...)
		if c.Topics != (token.TopicRule{}) {
			rows[i].Access = map[token.Permission]string{token.PermitProduce: "Produce", token.PermitConsume: "Consume"}[c.Topics.Permission]
			if rows[i].Access == "" {
				rows[i].Access = "Produce and consume"
			}
			rows[i].Details = []string{c.Topics.Topics}
		}
		if c.Groups != "" {
			rows[i].Details = append(rows[i].Details, "group "+string(c.Groups))
		}
		rows[i].Details = append(rows[i].Details, c.Destinations...)
	}
	return r.render(credentialList{rows, users})
}

// shownToken is what the dialog with a token shows.
type shownToken struct {
	Credential control.Credential
	Token      control.Token
	Env        string
}

// showToken answers with a token: alone, to be copied, or in a dialog.
func showToken(r *request) error {
	_, cred, err := r.h.control.Credential(r.Context(), r.account.ID, r.resource.ID, r.PathValue("credential"))
	if err != nil {
		return err
	}
	t, err := r.h.control.Token(r.Context(), r.account.ID, r.resource.ID, cred.ID)
	if err != nil {
		return err
	}
	if !r.isHTMX() {
		return r.text(t.Text)
	}
	shown := shownToken{Credential: *cred, Token: t}
	switch url := r.resource.URL; r.resource.Product {
	case control.Redis:
		shown.Env = redisEnv(url, r.h.control.RedisServer(), t.Text, "")
	case control.Kafka:
		shown.Env = kafkaEnv(url, r.h.control.Broker(), t.Username, t.Text)
	case control.QStash:
		shown.Env = env("QSTASH_URL", url, "QSTASH_TOKEN", t.Text)
	}
	return r.fragment("credentials", "token", shown)
}

func revokeCredential(r *request) error {
	_, cred, err := r.h.control.Credential(r.Context(), r.account.ID, r.resource.ID, r.PathValue("credential"))
	if err == nil {
		err = r.h.control.Revoke(r.Context(), r.account.ID, r.resource.ID, cred.ID)
	}
	if control.IsKind(err, control.NotFound) {
		return r.redirect(r.path("credentials"), "The credential has been revoked already.")
	}
	if err != nil {
		return err
	}
	return r.redirect(r.path("credentials"), cred.Name+" opens nothing any more.")
}

func resetCredentials(r *request) error {
	if r.form("confirm") != r.resource.Name {
		return edge.Refuse(http.StatusUnprocessableEntity, "The name did not match, so nothing was reset.")
	}
	if err := r.h.control.Reset(r.Context(), r.account.ID, r.resource.ID); err != nil {
		return err
	}
	return r.redirect(r.path("credentials"), "All credentials were reset. Clients need the new ones.")
}

// issueForm is what the view "credential-new" shows.
type issueForm struct {
	Name, Scope                  string
	Categories                   []category
	Commands, Keys, Channels     string // of Redis
	Permission, Topics, Groups   string // of Kafka
	Destinations                 string // of QStash
	Expiry, ExpiresAt            string
	Errors                       formErrors
	Scopes, Permissions, Expires []option
}

// category is a class of commands that a credential of Redis may be limited to.
type category struct {
	Name, Text string
	On         bool
}

var (
	redisCategories = []category{
		{Name: "read", Text: "Commands that read"}, {Name: "write", Text: "Commands that write"}, {Name: "string", Text: "Strings"},
		{Name: "hash", Text: "Hashes"}, {Name: "list", Text: "Lists"}, {Name: "set", Text: "Sets"}, {Name: "sortedset", Text: "Sorted sets"},
		{Name: "stream", Text: "Streams"}, {Name: "pubsub", Text: "Publish and subscribe"}, {Name: "scripting", Text: "Scripts"},
	}
	expiryOptions = []option{
		{"", "Never"}, {"24h", "In a day"}, {"168h", "In 7 days"}, {"720h", "In 30 days"}, {"2160h", "In 90 days"}, {"at", "At a date"},
	}
)

func (r *request) newIssueForm() issueForm {
	form := issueForm{
		Errors: formErrors{}, Expires: expiryOptions, Permission: string(token.PermitAll), Scope: string(token.ReadWrite),
		Scopes:      []option{{string(token.ReadWrite), "Read and write"}, {string(token.ReadOnly), "Read only"}},
		Permissions: []option{{string(token.PermitAll), "Produce and consume"}, {string(token.PermitProduce), "Produce only"}, {string(token.PermitConsume), "Consume only"}},
	}
	if r.resource.Product == control.Redis {
		form.Scopes = append(form.Scopes, option{"custom", "Only what is listed below"}, option{"browser", "For browsers: read some keys, hear some channels"})
		form.Categories = append([]category(nil), redisCategories...)
	}
	return form
}

func showIssue(r *request) error { return r.render(r.newIssueForm()) }

// readIssueForm reads the form that was posted, and notes what is wrong with it.
func (r *request) readIssueForm() (issueForm, control.CredentialOptions) {
	form := r.newIssueForm()
	form.Name, form.Scope = r.form("name"), r.form("scope")
	form.Commands, form.Keys, form.Channels = r.form("commands"), r.form("keys"), r.form("channels")
	form.Permission, form.Topics, form.Groups = r.form("permission"), r.form("topics"), r.form("groups")
	form.Destinations, form.Expiry, form.ExpiresAt = r.form("destinations"), r.form("expiry"), r.form("expires-at")
	o := control.CredentialOptions{Name: form.Name, Scope: token.Scope(form.Scope)}
	if form.Name == "" {
		form.Errors["name"] = "Give it a name, such as that of who will use it."
	}
	switch r.resource.Product {
	case control.Redis:
		switch form.Scope {
		case "custom":
			o.Scope, o.Rules = token.ReadWrite, form.rules(r.PostForm["category"])
		case "browser":
			o.Scope, o.Rules = token.ReadOnly, form.browserRules()
		}
	case control.Kafka:
		o.Scope, o.Groups = token.ReadWrite, token.GroupRule(form.Groups)
		if form.Topics != "" || form.Permission != string(token.PermitAll) {
			topics := form.Topics
			if topics == "" {
				topics = "*"
			}
			o.Topics = token.TopicRule{Permission: token.Permission(form.Permission), Topics: topics}
		}
	case control.QStash:
		o.Destinations = strings.Fields(form.Destinations)
	}
	switch form.Expiry {
	case "":
	case "at":
		at, err := time.Parse("2006-01-02T15:04", form.ExpiresAt)
		if err != nil || !at.After(r.h.now()) {
			form.Errors["expires-at"] = "Choose a time in the future, in UTC."
		}
		o.Expires = at
	default:
		d, err := time.ParseDuration(form.Expiry)
		if err != nil || d <= 0 {
			form.Errors["expiry"] = "Choose when it expires."
		}
		o.Expires = r.h.now().Add(d)
	}
	return form, o
}

// rules are those of Redis that the form says.
func (form *issueForm) rules(categories []string) []string {
	var commands []string
	for i, c := range form.Categories {
		for _, name := range categories {
			if c.Name == name {
				form.Categories[i].On = true
				commands = append(commands, "+@"+c.Name)
			}
		}
	}
	for _, name := range strings.Fields(form.Commands) {
		if strings.ContainsAny(name[:1], "+-") {
			commands = append(commands, name)
		} else {
			commands = append(commands, "+"+strings.ToLower(name))
		}
	}
	if len(commands) == 0 {
		form.Errors["commands"] = "Choose at least one group of commands, or list some."
	}
	keys := strings.Fields(form.Keys)
	if len(keys) == 0 {
		form.Errors["keys"] = "List at least one pattern; * stands for all keys."
	}
	rules := commands
	for _, k := range keys {
		rules = append(rules, "~"+k)
	}
	for _, c := range strings.Fields(form.Channels) {
		rules = append(rules, "&"+c)
	}
	return rules
}

// browserRules are those of Redis for a token in a browser, which everybody can read who opens the page. It reads
// only keys whose names it knows, since it is read-only, and runs no scripts, which could take long.
func (form *issueForm) browserRules() []string {
	keys, channels := strings.Fields(form.Keys), strings.Fields(form.Channels)
	if len(keys) == 0 && len(channels) == 0 {
		form.Errors["keys"] = "List at least one pattern of keys, or of channels."
	}
	for field, patterns := range map[string][]string{"keys": keys, "channels": channels} {
		if slices.ContainsFunc(patterns, func(p string) bool { return strings.Trim(p, "*") == "" }) {
			form.Errors[field] = "Everybody who opens the page gets these: name them more closely than by * alone."
		}
	}
	if form.Expiry == "" {
		form.Errors["expiry"] = "Everybody who opens the page has the token: choose when it expires."
	}
	var rules []string
	if len(keys) > 0 {
		rules = append(rules, "+@read")
	}
	if len(channels) > 0 {
		rules = append(rules, "+subscribe", "+psubscribe")
	}
	for _, k := range keys {
		rules = append(rules, "~"+k)
	}
	for _, c := range channels {
		rules = append(rules, "&"+c)
	}
	return rules
}

func issueCredential(r *request) error {
	form, o := r.readIssueForm()
	if len(form.Errors) > 0 {
		return r.renderStatus(http.StatusUnprocessableEntity, form)
	}
	cred, err := r.h.control.Issue(r.Context(), r.account.ID, r.resource.ID, o)
	var refusal *control.Error
	if errors.As(err, &refusal) && refusal.Kind != control.NotFound {
		form.Errors[""] = sentence(refusal.Text)
		return r.renderStatus(http.StatusUnprocessableEntity, form)
	}
	if err != nil {
		return err
	}
	return r.redirect(r.path("credentials"), cred.Name+" is ready to be copied.")
}
