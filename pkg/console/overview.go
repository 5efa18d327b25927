package console

func overviewPages() []*page {
	return []*page{
		{route: "GET /", title: "Overview", view: "overview", nav: nav{groupMain, "Overview", "home"}, serve: showOverview},
	}
}

func showOverview(r *request) error {
	resources, err := r.h.control.Resources(r.Context(), r.account.ID)
	if err != nil {
		return err
	}
	return r.render(resources)
}
