package console

import (
	"errors"
	"math"
	"net/http"
	"strconv"
	"strings"

	"github.com/skystash/skystash/pkg/control"
	"github.com/skystash/skystash/pkg/meter"
)

func createPages() []*page {
	return []*page{
		{route: "GET /new", title: "New resource", view: "new", nav: nav{groupMain, "New resource", "plus"}, serve: showCreate},
		{route: "POST /new", title: "New resource", view: "new", serve: createResource},
	}
}

// createForm is what the view "new" shows.
type createForm struct {
	Products []productChoice
	Product  control.Product
	Name     string
	Eviction bool
	Limits   limitsForm
	Errors   formErrors
}

type productChoice struct {
	Product control.Product
	Text    string
}

var productTexts = map[control.Product]string{
	control.Redis:  "Key-value database with strings, hashes, streams, JSON and scripts.",
	control.Kafka:  "Topics with offsets, consumer groups and webhooks.",
	control.QStash: "Messages and schedules delivered to HTTP endpoints, with retries.",
}

// limitsForm are limits as they are typed.
type limitsForm struct{ Requests, Budget string }

func newLimitsForm(l meter.Limits) limitsForm {
	var f limitsForm
	if l.DailyRequests > 0 {
		f.Requests = strconv.FormatInt(l.DailyRequests, 10)
	}
	if l.MonthlyBudget > 0 {
		f.Budget = strconv.FormatFloat(l.MonthlyBudget, 'f', -1, 64)
	}
	return f
}

// readLimits reads limits from the form that was posted, and notes what is wrong with them.
func (r *request) readLimits(errs formErrors) (limitsForm, meter.Limits) {
	f := limitsForm{Requests: r.form("requests"), Budget: r.form("budget")}
	var l meter.Limits
	var err error
	if f.Requests != "" {
		if l.DailyRequests, err = strconv.ParseInt(strings.ReplaceAll(f.Requests, ",", ""), 10, 64); err != nil || l.DailyRequests < 1 {
			errs["requests"] = "Enter a whole number of at least 1, or nothing for no limit."
		}
	}
	if f.Budget != "" {
		l.MonthlyBudget, err = strconv.ParseFloat(strings.ReplaceAll(f.Budget, ",", ""), 64)
		if err != nil || !(l.MonthlyBudget > 0) || math.IsInf(l.MonthlyBudget, 0) {
			errs["budget"] = "Enter an amount in dollars, such as 12.50, or nothing for no limit."
		}
	}
	return f, l
}

func (r *request) productChoices() []productChoice {
	var list []productChoice
	for _, p := range r.h.control.Products() {
		list = append(list, productChoice{p, productTexts[p]})
	}
	return list
}

func showCreate(r *request) error {
	form := createForm{Products: r.productChoices(), Product: control.Product(r.query("product"))}
	if form.Product == "" && len(form.Products) > 0 {
		form.Product = form.Products[0].Product
	}
	return r.render(form)
}

func createResource(r *request) error {
	form := createForm{
		Products: r.productChoices(), Product: control.Product(r.form("product")), Name: r.form("name"),
		Eviction: r.form("eviction") != "", Errors: formErrors{},
	}
	o := control.CreateOptions{Name: form.Name, Eviction: form.Eviction}
	form.Limits, o.Limits = r.readLimits(form.Errors)
	if form.Name == "" {
		form.Errors["name"] = "Give it a name, so that you find it again."
	}
	if len(form.Errors) > 0 {
		return r.renderStatus(http.StatusUnprocessableEntity, form)
	}
	create := map[control.Product]func() (*control.Resource, error){
		control.Redis:  func() (*control.Resource, error) { return r.h.control.CreateDatabase(r.Context(), r.account.ID, o) },
		control.Kafka:  func() (*control.Resource, error) { return r.h.control.CreateCluster(r.Context(), r.account.ID, o) },
		control.QStash: func() (*control.Resource, error) { return r.h.control.CreateQStash(r.Context(), r.account.ID, o) },
	}[form.Product]
	if create == nil {
		form.Errors["product"] = "Choose a product."
		return r.renderStatus(http.StatusUnprocessableEntity, form)
	}
	res, err := create()
	var refusal *control.Error
	if errors.As(err, &refusal) {
		form.Errors["name"] = sentence(refusal.Text)
		return r.renderStatus(http.StatusUnprocessableEntity, form)
	}
	if err != nil {
		return err
	}
	return r.redirect(Base+"/r/"+res.ID, res.Name+" is ready.")
}
