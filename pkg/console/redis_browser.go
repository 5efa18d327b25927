package console

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/skystash/skystash/pkg/control"
	"github.com/skystash/skystash/pkg/edge"
	"github.com/skystash/skystash/pkg/redis"
	"github.com/skystash/skystash/pkg/redis/browse"
)

func redisBrowserPages() []*page {
	const p = control.Redis
	return []*page{
		{route: "GET /r/{id}/browser", title: "Data browser", view: "redis-browser", product: p, nav: nav{groupData, "Data browser", "table"}, serve: showBrowser},
		{route: "GET /r/{id}/browser/count", view: "redis-browser", product: p, serve: countKeys},
		{route: "GET /r/{id}/browser/new", title: "New key", view: "redis-new", product: p, serve: showNewKey},
		{route: "POST /r/{id}/browser/new", title: "New key", view: "redis-new", product: p, maxBody: maxValueForm, serve: createKey},
		{route: "GET /r/{id}/browser/element", title: "Edit", view: "redis-element", product: p, serve: showElement},
		{route: "GET /r/{id}/browser/download", product: p, serve: downloadValue},
		{route: "POST /r/{id}/browser/delete", product: p, serve: deleteKeys},
		{route: "POST /r/{id}/browser/rename", product: p, serve: renameKey},
		{route: "POST /r/{id}/browser/expire", product: p, serve: expireKey},
		{route: "POST /r/{id}/browser/save", title: "Data browser", view: "redis-browser", product: p, maxBody: maxValueForm, serve: saveValue},
		{route: "POST /r/{id}/browser/add", product: p, maxBody: maxValueForm, serve: addElement},
		{route: "POST /r/{id}/browser/element", title: "Edit", view: "redis-element", product: p, maxBody: maxValueForm, serve: saveElement},
		{route: "POST /r/{id}/browser/remove", product: p, serve: removeElement},
	}
}

const (
	keysPerPage     = 50
	elementsPerPage = 100
	maxText         = 256 << 10 // bytes of a text that is shown and edited
	maxValueForm    = 4 << 20
)

// typeNames are what the types are called.
var typeNames = map[string]string{
	browse.String: "String", browse.Hash: "Hash", browse.List: "List", browse.Set: "Set",
	browse.SortedSet: "Sorted set", browse.Stream: "Stream", browse.JSON: "JSON",
}

func typeOptions(first ...option) []option {
	for _, t := range browse.Types {
		first = append(first, option{t, typeNames[t]})
	}
	return first
}

// browser is the data browser of the request's database.
func (r *request) browser() (*browse.Browser, error) {
	db, err := r.h.redis.Database(r.Context(), r.resource.ID)
	if errors.Is(err, redis.ErrNoDatabase) {
		return nil, errNoPage
	}
	if err != nil {
		return nil, err
	}
	return browse.New(r.h.redis, db), nil
}

// browserError says in words what the data browser refuses.
func browserError(err error) error {
	var refused redis.Error
	switch {
	case errors.Is(err, browse.ErrNoKey):
		return edge.Refuse(http.StatusNotFound, "It is not there any more. Somebody may have deleted it, or it has expired.")
	case errors.Is(err, browse.ErrChanged):
		return edge.Refuse(http.StatusConflict, "It was changed by somebody else meanwhile, so nothing was done. Look at it again first.")
	case errors.Is(err, browse.ErrExists):
		return edge.Refuse(http.StatusConflict, "There is one of that name already, so nothing was done.")
	case errors.As(err, &refused):
		return edge.Refuse(http.StatusUnprocessableEntity, sentence(withoutCode(string(refused))))
	}
	return err
}

// withoutCode is a Redis error without its code.
func withoutCode(text string) string {
	if code, rest, ok := strings.Cut(text, " "); ok && code == "ERR" {
		return rest
	}
	return text
}

// keyRow is a key in the list.
type keyRow struct {
	browse.Key
	Label   string // its name on one line
	Token   string // its name in base64, for forms
	URL     string
	Kind    string
	Amount  string
	Expires string
	Current bool
}

// browserPage is what the view "redis-browser" shows.
type browserPage struct {
	Match, Type string
	Types       []option
	Rows        []keyRow
	Next        string // address of the next page
	Filtered    bool
	Prefixes    []prefixRow // that keys of the page begin with
	Under       string      // the prefix that they are listed under; "": none
	Up          string      // address of what is above it
	Key         *valuePage  // nil: none is chosen
	Gone        string      // a key that was asked for and is not there
}

// browserURL is the address of the browser with what it shows.
func (r *request) browserURL(pairs ...string) string {
	q := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			q.Set(pairs[i], pairs[i+1])
		}
	}
	path := r.path("browser")
	if len(q) > 0 {
		path += "?" + q.Encode()
	}
	return path
}

func showBrowser(r *request) error {
	b, err := r.browser()
	if err != nil {
		return err
	}
	q := r.URL.Query()
	p := &browserPage{Match: q.Get("match"), Type: q.Get("type"), Types: typeOptions(option{"", "All types"})}
	target := r.Header.Get("HX-Target")
	if q.Has("key") && target != "keys" && target != "more" {
		p.Key, err = r.valuePage(b, q.Get("key"))
		if errors.Is(err, browse.ErrNoKey) {
			p.Gone, err = line(q.Get("key")), nil
		}
		if err != nil {
			return browserError(err)
		}
		if target == "value" {
			return r.fragment("redis-browser", "value", p)
		}
	}
	if err := r.listKeys(b, p, q.Get("cursor"), q.Get("key")); err != nil {
		return err
	}
	switch target {
	case "keys":
		return r.fragment("redis-browser", "keys", p)
	case "more":
		return r.fragment("redis-browser", "key-rows", p)
	}
	return r.render(p)
}

func (r *request) listKeys(b *browse.Browser, p *browserPage, cursor, current string) error {
	page, err := b.Keys(r.Context(), browse.KeyQuery{Match: p.Match, Type: p.Type, Cursor: cursor, Count: keysPerPage})
	if err != nil {
		return browserError(err)
	}
	p.Filtered = p.Match != "" || p.Type != ""
	for _, k := range page.Keys {
		p.Rows = append(p.Rows, keyRow{
			Key: k, Label: line(k.Name), Token: base64.RawURLEncoding.EncodeToString([]byte(k.Name)),
			URL:     r.browserURL("match", p.Match, "type", p.Type, "key", k.Name),
			Kind:    typeNames[k.Type],
			Amount:  amount(k.Type, k.Size),
			Expires: expires(k.TTL),
			Current: k.Name == current && current != "",
		})
	}
	if page.Next != "" {
		p.Next = r.browserURL("match", p.Match, "type", p.Type, "cursor", page.Next)
	}
	r.addPrefixes(p)
	return nil
}

// amount says how large a key is.
func amount(typ string, size int64) string {
	unit := map[string]string{browse.Hash: "field", browse.List: "element", browse.Set: "member", browse.SortedSet: "member", browse.Stream: "entry"}[typ]
	switch {
	case unit == "":
		return formatBytes(size)
	case size == 1:
		return "1 " + unit
	case unit == "entry":
		return formatCount(size) + " entries"
	}
	return formatCount(size) + " " + unit + "s"
}

// expires says how long something still lives; "" if it does not expire.
func expires(d time.Duration) string {
	if d == browse.NoExpiry {
		return ""
	}
	for _, u := range []struct {
		size time.Duration
		name string
	}{{24 * time.Hour, "d"}, {time.Hour, "h"}, {time.Minute, "m"}} {
		if d >= 2*u.size {
			return strconv.FormatInt(int64(d/u.size), 10) + u.name
		}
	}
	return secondsOf(d) + "s"
}

// secondsOf is a time to live in seconds, rounded up.
func secondsOf(d time.Duration) string {
	return strconv.FormatInt(int64((d+time.Second-1)/time.Second), 10)
}

func countKeys(r *request) error {
	b, err := r.browser()
	if err != nil {
		return err
	}
	n, err := b.CountKeys(r.Context())
	if err != nil {
		return browserError(err)
	}
	return r.fragment("redis-browser", "count", formatCount(n))
}

// keyURL is an action's address with the key it is about: addresses hold any bytes, fields of
// forms do not.
func (r *request) keyURL(action, key string, pairs ...string) string {
	q := url.Values{"key": {key}}
	for i := 0; i+1 < len(pairs); i += 2 {
		q.Set(pairs[i], pairs[i+1])
	}
	return r.path("browser", action) + "?" + q.Encode()
}

// valuePage is a key as it is shown beside the list.
type valuePage struct {
	*browse.Value
	Label    string
	Kind     string
	Amount   string
	Expires  string
	Seconds  string // of its time to live
	Preview  preview
	Draft    string // in the editor
	Format   string
	Seen     browse.Digest
	Conflict bool
	Error    string
	Rows     []elementRow
	Match    string
	Reverse  bool
	Searches bool // Match is offered
	Sorts    []option
	Back     string // address of the list
	This     string // address of this page
	NextURL  string
	FirstURL string
	URLs     map[string]string // of actions
}

// elementRow is an element of a value in a table.
type elementRow struct {
	Name, Value, Score, Expires string
	Pairs                       [][2]string
	EditURL, RemoveURL          string
	Seen                        browse.Digest
	ID                          int
}

func (r *request) valuePage(b *browse.Browser, key string) (*valuePage, error) {
	q := r.URL.Query()
	query := browse.ValueQuery{
		Cursor: q.Get("at"), Match: q.Get("find"), Reverse: q.Get("order") == "reverse", Count: elementsPerPage, MaxText: maxText,
	}
	value, err := b.Value(r.Context(), key, query)
	if err != nil {
		return nil, err
	}
	match, typ := q.Get("match"), q.Get("type")
	v := &valuePage{
		Value: value, Label: line(key), Kind: typeNames[value.Type], Amount: amount(value.Type, value.Size),
		Expires: expires(value.TTL), Preview: previewOf(value.Text, maxText), Seen: value.Digest,
		Match: query.Match, Reverse: query.Reverse,
		Back: r.browserURL("match", match, "type", typ),
		This: r.browserURL("match", match, "type", typ, "key", key),
		URLs: map[string]string{},
	}
	if value.TTL != browse.NoExpiry {
		v.Seconds = secondsOf(value.TTL)
	}
	for _, action := range []string{"delete", "rename", "expire", "save", "add", "download", "element"} {
		v.URLs[action] = r.keyURL(action, key, "match", match, "type", typ)
	}
	v.Draft, v.Format = editable(value.Text)
	if value.Type == browse.JSON && v.Preview.Kind == "json" {
		v.Draft, v.Format = v.Preview.Text, formatText
	}
	switch value.Type {
	case browse.Hash, browse.Set:
		v.Searches = true
	case browse.SortedSet:
		v.Searches = true
		v.Sorts = []option{{"", "Lowest score first"}, {"reverse", "Highest score first"}}
	case browse.List:
		v.Sorts = []option{{"", "From the head"}, {"reverse", "From the tail"}}
	case browse.Stream:
		v.Sorts = []option{{"", "Newest first"}, {"reverse", "Oldest first"}}
	}
	page := func(at string) string {
		return r.browserURL("match", match, "type", typ, "key", key, "find", query.Match, "order", q.Get("order"), "at", at)
	}
	if value.Next != "" {
		v.NextURL = page(value.Next)
	}
	if query.Cursor != "" {
		v.FirstURL = page("")
	}
	for i, el := range value.Elements {
		row := elementRow{ID: i, Name: line(el.Name), Value: line(el.Value), Score: el.Score, Seen: el.Digest}
		if value.Type == browse.Hash {
			row.Expires = expires(el.TTL)
		}
		for _, p := range el.Pairs {
			row.Pairs = append(row.Pairs, [2]string{line(p[0]), line(p[1])})
		}
		row.EditURL = r.keyURL("element", key, "element", el.Name, "match", match, "type", typ)
		row.RemoveURL = r.keyURL("remove", key, "element", el.Name, "match", match, "type", typ)
		v.Rows = append(v.Rows, row)
	}
	return v, nil
}

// toKey goes back to a key after something was done to it.
func (r *request) toKey(key, text string) error {
	q := r.URL.Query()
	return r.redirect(r.browserURL("match", q.Get("match"), "type", q.Get("type"), "key", key), text)
}

func saveValue(r *request) error {
	b, err := r.browser()
	if err != nil {
		return err
	}
	key, seen, text := r.query("key"), browse.Digest(r.form("seen")), r.edited("value")
	if r.form("type") == browse.JSON {
		err = b.SetJSON(r.Context(), key, text, seen)
	} else {
		err = b.SetString(r.Context(), key, text, seen)
	}
	if err == nil {
		return r.toKey(key, "Saved.")
	}
	refusal := refused(browserError(err))
	if refusal == nil {
		return err
	}
	// What was written must not be lost.
	v, err := r.valuePage(b, key)
	if err != nil {
		return browserError(err)
	}
	v.Conflict, v.Error = refusal.Status == http.StatusConflict, refusal.Text
	v.Draft, v.Format = r.PostForm.Get("value"), r.form("format")
	p := &browserPage{Match: r.query("match"), Type: r.query("type"), Types: typeOptions(option{"", "All types"}), Key: v}
	if err := r.listKeys(b, p, "", key); err != nil {
		return err
	}
	return r.renderStatus(refusal.Status, p)
}

func deleteKeys(r *request) error {
	b, err := r.browser()
	if err != nil {
		return err
	}
	var names []string
	if r.URL.Query().Has("key") {
		names = append(names, r.query("key"))
	}
	for _, token := range r.PostForm["name"] {
		name, err := base64.RawURLEncoding.DecodeString(token)
		if err != nil {
			return edge.Refuse(http.StatusUnprocessableEntity, "This form cannot be read, so nothing was deleted.")
		}
		names = append(names, string(name))
	}
	if len(names) == 0 {
		return edge.Refuse(http.StatusUnprocessableEntity, "Choose the keys that are to be deleted first.")
	}
	n, err := b.Delete(r.Context(), names...)
	if err != nil {
		return browserError(err)
	}
	text := "The key was deleted already."
	switch {
	case n == 1:
		text = "Deleted."
	case n > 1:
		text = fmt.Sprintf("%s keys were deleted.", formatCount(n))
	}
	return r.redirect(r.browserURL("match", r.query("match"), "type", r.query("type")), text)
}

func renameKey(r *request) error {
	b, err := r.browser()
	if err != nil {
		return err
	}
	to := r.edited("name")
	if to == "" {
		return edge.Refuse(http.StatusUnprocessableEntity, "Enter the new name.")
	}
	if err := b.Rename(r.Context(), r.query("key"), to); err != nil {
		return browserError(err)
	}
	return r.toKey(to, "Renamed.")
}

// lifetime reads a time to live in seconds; "" is for ever.
func lifetime(text string) (time.Duration, error) {
	if text == "" {
		return browse.NoExpiry, nil
	}
	seconds, err := strconv.ParseFloat(text, 64)
	if err != nil || !(seconds > 0 && seconds <= 100*365*86400) {
		return 0, edge.Refuse(http.StatusUnprocessableEntity, "The time to live is a number of seconds above 0, or nothing for one that does not end.")
	}
	return time.Duration(seconds * float64(time.Second)), nil
}

func expireKey(r *request) error {
	b, err := r.browser()
	if err != nil {
		return err
	}
	ttl, err := lifetime(r.form("seconds"))
	if err != nil {
		return err
	}
	if r.form("persist") != "" {
		ttl = browse.NoExpiry
	}
	if err := b.Expire(r.Context(), r.query("key"), ttl); err != nil {
		return browserError(err)
	}
	if ttl == browse.NoExpiry {
		return r.toKey(r.query("key"), "The key does not expire any more.")
	}
	return r.toKey(r.query("key"), "The key expires in "+expires(ttl)+".")
}

func downloadValue(r *request) error {
	b, err := r.browser()
	if err != nil {
		return err
	}
	value, err := b.Raw(r.Context(), r.query("key"), r.query("element"))
	if err != nil {
		return browserError(err)
	}
	return r.download("value.bin", value)
}

// download answers with bytes that browsers save and never show.
func (r *request) download(name, body string) error {
	header := r.w.Header()
	header.Set("Content-Type", "application/octet-stream")
	header.Set("Content-Disposition", `attachment; filename="`+name+`"`)
	header.Set("Content-Length", strconv.Itoa(len(body)))
	_, _ = r.w.Write([]byte(body)) // the client may have gone
	return nil
}
