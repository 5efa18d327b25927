package console

import (
	"net/http"
	"strings"

	"github.com/skystash/skystash/pkg/edge"
	"github.com/skystash/skystash/pkg/redis/browse"
)

// newKeyForm is what the view "redis-new" shows.
type newKeyForm struct {
	Name, Type, Value, Field, Score, Seconds string
	Escaped                                  bool
	Types                                    []option
	Errors                                   formErrors
}

func showNewKey(r *request) error {
	f := newKeyForm{Type: browse.String, Types: typeOptions()}
	if typ := r.query("type"); typeNames[typ] != "" {
		f.Type = typ
	}
	return r.render(f)
}

func createKey(r *request) error {
	b, err := r.browser()
	if err != nil {
		return err
	}
	f := newKeyForm{
		Name: r.PostForm.Get("name"), Type: r.form("type"), Value: r.PostForm.Get("value"), Field: r.PostForm.Get("field"),
		Score: r.form("score"), Seconds: r.form("seconds"), Escaped: r.form("format") == formatEscaped,
		Types: typeOptions(), Errors: formErrors{},
	}
	if f.Name == "" {
		f.Errors["name"] = "Enter the key's name."
	}
	if (f.Type == browse.Hash || f.Type == browse.Stream) && f.Field == "" {
		f.Errors["field"] = "Enter the name of the first field."
	}
	ttl, err := lifetime(f.Seconds)
	if err != nil {
		f.Errors["seconds"] = err.Error()
	}
	if len(f.Errors) == 0 {
		err := browserError(b.Create(r.Context(), browse.NewKey{
			Name: r.edited("name"), Type: f.Type, Value: r.edited("value"), Field: r.edited("field"), Score: f.Score, TTL: ttl,
		}))
		if err == nil {
			return r.redirect(r.browserURL("key", r.edited("name")), "Created.")
		}
		ref := refused(err)
		if ref == nil {
			return err
		}
		if ref.Status == http.StatusConflict {
			f.Errors["name"] = "There is a key of that name already."
		} else {
			f.Errors[""] = ref.Text
		}
	}
	return r.renderStatus(http.StatusUnprocessableEntity, f)
}

// elementForm is what the view "redis-element" shows: one element of a value.
type elementForm struct {
	Type, Title    string
	Name, Label    string // of the element
	Text, Format   string // of the value, in the editor
	Preview        preview
	Large          bool // too large to be edited here
	Score, Seconds string
	Pairs          [][2]string
	Seen           browse.Digest
	Error          string
	SaveURL        string
	DownloadURL    string
	Back           string
}

func showElement(r *request) error {
	f, err := r.elementForm()
	if err != nil {
		return browserError(err)
	}
	if r.isHTMX() {
		return r.fragment("redis-element", "element", f)
	}
	return r.render(f)
}

// elementForm reads the element that the address names.
func (r *request) elementForm() (*elementForm, error) {
	b, err := r.browser()
	if err != nil {
		return nil, err
	}
	key, name := r.query("key"), r.query("element")
	el, typ, err := b.Element(r.Context(), key, name)
	if err != nil {
		return nil, err
	}
	match, keyType := r.query("match"), r.query("type")
	f := &elementForm{
		Type: typ, Name: name, Label: line(name), Score: el.Score, Seen: el.Digest, Preview: previewOf(el.Value, maxText),
		Large:   len(el.Value) > maxText,
		SaveURL: r.keyURL("element", key, "element", name, "match", match, "type", keyType),
		Back:    r.browserURL("match", match, "type", keyType, "key", key),
		Title:   map[string]string{browse.Hash: "Field", browse.List: "Element", browse.SortedSet: "Member", browse.Set: "Member", browse.Stream: "Entry"}[typ],
	}
	if !f.Large {
		f.Text, f.Format = editable(el.Value)
	}
	if typ == browse.Hash || typ == browse.List {
		f.DownloadURL = r.keyURL("download", key, "element", name)
	}
	if el.TTL > 0 {
		f.Seconds = secondsOf(el.TTL)
	}
	for _, p := range el.Pairs {
		f.Pairs = append(f.Pairs, [2]string{line(p[0]), previewOf(p[1], 4<<10).Text})
	}
	if typ == browse.Set || typ == browse.SortedSet {
		f.Preview = previewOf(name, maxText)
	}
	return f, nil
}

func saveElement(r *request) error {
	b, err := r.browser()
	if err != nil {
		return err
	}
	key, name, seen, ctx := r.query("key"), r.query("element"), browse.Digest(r.form("seen")), r.Context()
	ttl, err := lifetime(r.form("seconds"))
	if err != nil {
		return err
	}
	switch r.form("kind") {
	case browse.Hash:
		if err = b.SetField(ctx, key, name, r.edited("value"), seen); err == nil && ttl != browse.NoExpiry {
			err = b.ExpireField(ctx, key, name, ttl)
		}
	case browse.List:
		err = b.SetItem(ctx, key, name, r.edited("value"), seen)
	case browse.SortedSet:
		err = b.SetScore(ctx, key, name, r.form("score"), seen)
	default:
		return edge.Refuse(http.StatusUnprocessableEntity, "This cannot be edited.")
	}
	if err == nil {
		return r.toKey(key, "Saved.")
	}
	ref := refused(browserError(err))
	if ref == nil {
		return err
	}
	f, err := r.elementForm()
	if err != nil {
		return browserError(err)
	}
	f.Error, f.Text, f.Format, f.Score, f.Seconds = ref.Text, r.PostForm.Get("value"), r.form("format"), r.form("score"), r.form("seconds")
	return r.renderStatus(ref.Status, f)
}

func addElement(r *request) error {
	b, err := r.browser()
	if err != nil {
		return err
	}
	key, value, ctx := r.query("key"), r.edited("value"), r.Context()
	switch r.form("kind") {
	case browse.Hash:
		err = b.AddField(ctx, key, r.edited("field"), value)
	case browse.List:
		err = b.Push(ctx, key, value, r.form("end") == "head")
	case browse.Set:
		err = b.AddMember(ctx, key, value)
	case browse.SortedSet:
		score := r.form("score")
		if score == "" {
			score = "0"
		}
		err = b.AddScored(ctx, key, value, score)
	case browse.Stream:
		var pairs []string
		for l := range strings.Lines(r.edited("pairs")) {
			field, v, ok := strings.Cut(strings.TrimSuffix(l, "\n"), "=")
			if !ok && field == "" {
				continue
			}
			if !ok {
				return edge.Refuse(http.StatusUnprocessableEntity, "Write each field as name=value, one on a line.")
			}
			pairs = append(pairs, field, v)
		}
		if len(pairs) == 0 {
			return edge.Refuse(http.StatusUnprocessableEntity, "An entry has at least one field: write it as name=value.")
		}
		err = b.AddEntry(ctx, key, r.form("entry"), pairs...)
	default:
		return edge.Refuse(http.StatusUnprocessableEntity, "Nothing can be added to this key.")
	}
	if err != nil {
		return browserError(err)
	}
	return r.toKey(key, "Added.")
}

func removeElement(r *request) error {
	b, err := r.browser()
	if err != nil {
		return err
	}
	key, name := r.query("key"), r.query("element")
	if r.form("kind") == browse.List {
		err = b.RemoveItem(r.Context(), key, name, browse.Digest(r.form("seen")))
	} else {
		err = b.Remove(r.Context(), key, name)
	}
	if err != nil {
		return browserError(err)
	}
	return r.toKey(key, "Removed.")
}
