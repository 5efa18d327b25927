package console

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/skystash/skystash/pkg/control"
	"github.com/skystash/skystash/pkg/qstash"
	"github.com/skystash/skystash/pkg/qstash/cron"
)

func qstashSchedulePages() []*page {
	const p = control.QStash
	return []*page{
		{route: "GET /r/{id}/schedules", title: "Schedules", view: "qstash-schedules", product: p, nav: nav{groupData, "Schedules", "refresh"}, serve: showSchedules},
		{route: "GET /r/{id}/schedules/new", title: "New schedule", view: "qstash-schedule-new", product: p, serve: showNewSchedule},
		{route: "POST /r/{id}/schedules/new", title: "New schedule", view: "qstash-schedule-new", product: p, maxBody: maxValueForm, serve: createSchedule},
		{route: "GET /r/{id}/schedules/runs", product: p, serve: showRuns},
		{route: "GET /r/{id}/schedules/{schedule}", title: "Schedule", view: "qstash-schedule", product: p, serve: showSchedule},
		{route: "GET /r/{id}/schedules/{schedule}/edit", title: "Edit schedule", view: "qstash-schedule-new", product: p, serve: showScheduleForm},
		{route: "POST /r/{id}/schedules/{schedule}/edit", title: "Edit schedule", view: "qstash-schedule-new", product: p, maxBody: maxValueForm, serve: changeSchedule},
		{route: "POST /r/{id}/schedules/{schedule}/pause", product: p, serve: pauseSchedule},
		{route: "POST /r/{id}/schedules/{schedule}/run", product: p, serve: runSchedule},
		{route: "POST /r/{id}/schedules/{schedule}/delete", product: p, serve: deleteSchedule},
	}
}

// nextRuns are the times at which a cron expression is due.
type nextRuns struct {
	Times []time.Time
	Error string
}

// shownRuns is how many times are shown.
const shownRuns = 5

func runsOf(expression string, after time.Time) (n nextRuns) {
	if strings.TrimSpace(expression) == "" {
		return n
	}
	s, err := cron.Parse(expression)
	if err != nil {
		n.Error = sentence(err.Error())
		return n
	}
	for at := s.Next(after); len(n.Times) < shownRuns && !at.IsZero(); at = s.Next(at) {
		n.Times = append(n.Times, at)
	}
	return n
}

// expression is the cron expression of a form with its time zone.
func expression(text, zone string) string {
	if text = strings.TrimSpace(text); zone != "" && text != "" && !strings.HasPrefix(text, "CRON_TZ=") {
		return "CRON_TZ=" + zone + " " + text
	}
	return text
}

// scheduleRow is a schedule as pages show it.
type scheduleRow struct {
	qstash.Schedule
	Next, Last time.Time // Next: zero if it is paused
	Results    []resultRow
	URL        string
	Runs       nextRuns
	Payload    preview
	Headers    [][2]string
	CreatedAt  time.Time
}

// resultRow is what became of a message of the last run.
type resultRow struct {
	ID, URL string
	Badge   stateBadge
}

func (r *request) scheduleRow(s qstash.Schedule) scheduleRow {
	row := scheduleRow{Schedule: s, URL: r.path("schedules", s.ScheduleID), CreatedAt: time.UnixMilli(s.CreatedAt)}
	if !s.Paused {
		row.Next = time.UnixMilli(s.NextTime)
	}
	if s.LastTime > 0 {
		row.Last = time.UnixMilli(s.LastTime)
	}
	for _, id := range sortedKeys(s.LastStates) {
		row.Results = append(row.Results, resultRow{id, r.path("messages", id), badgeOf(s.LastStates[id])})
	}
	return row
}

func showSchedules(r *request) error {
	list, err := r.h.qstash.Schedules(r.Context(), r.resource.ID)
	if err != nil {
		return err
	}
	var rows []scheduleRow
	for _, s := range list {
		rows = append(rows, r.scheduleRow(s))
	}
	return r.render(rows)
}

func showSchedule(r *request) error {
	s, err := r.h.qstash.Schedule(r.Context(), r.resource.ID, r.PathValue("schedule"))
	if err = qstashError(err); err != nil {
		if ref := refused(err); ref != nil {
			return notFound("schedule")
		}
		return err
	}
	row := r.scheduleRow(s)
	row.Runs = runsOf(s.Cron, r.h.now())
	row.Payload = previewOf(s.Body+string(s.BodyBase64), 32<<10)
	row.Headers = headerRows(s.Header)
	return r.render(row)
}

// missedOptions are the policies for times of a schedule that were missed.
var missedOptions = []option{
	{string(qstash.MissedSkip), "Leave them out"},
	{string(qstash.MissedOnce), "Make up for the last one"},
	{string(qstash.MissedAll), "Make up for all of them"},
}

func showNewSchedule(r *request) error {
	f := &deliveryForm{Method: "POST", Missed: string(qstash.MissedSkip), ContentType: "application/json", Cron: "0 9 * * 1-5", Runs: runsOf("0 9 * * 1-5", r.h.now())}
	if err := f.suggest(r); err != nil {
		return err
	}
	return r.render(f)
}

// showRuns answers with the next times of an expression that is being typed.
func showRuns(r *request) error {
	return r.fragment("qstash-schedule-new", "runs", runsOf(expression(r.query("cron"), r.query("zone")), r.h.now()))
}

func createSchedule(r *request) error {
	f := &deliveryForm{}
	req := f.read(r)
	text := expression(f.Cron, f.Zone)
	if _, err := cron.Parse(text); err != nil {
		f.Errors["cron"] = sentence(err.Error())
	}
	if f.Name != "" {
		_, err := r.h.qstash.Schedule(r.Context(), r.resource.ID, f.Name)
		switch ref := refused(qstashError(err)); {
		case err == nil:
			f.Errors["name"] = "There is a schedule of that id already."
		case ref == nil:
			return err
		case ref.Status != http.StatusNotFound:
			f.Errors["name"] = ref.Text
		}
	}
	if len(f.Errors) == 0 {
		id, err := r.h.qstash.CreateSchedule(r.Context(), r.resource.ID, qstash.ScheduleRequest{
			ID: f.Name, Cron: text, Destination: req.Destination, Body: req.Body, Options: req.Options, Missed: qstash.Missed(f.Missed),
		})
		if err == nil {
			return r.redirect(r.path("schedules", id), "The schedule runs.")
		}
		ref := refused(qstashError(err))
		if ref == nil {
			return err
		}
		f.Errors[""] = ref.Text
	}
	f.Runs = runsOf(text, r.h.now())
	if err := f.suggest(r); err != nil {
		return err
	}
	return r.renderStatus(http.StatusUnprocessableEntity, f)
}

func pauseSchedule(r *request) error {
	paused := r.form("paused") != ""
	if err := r.h.qstash.PauseSchedule(r.Context(), r.resource.ID, r.PathValue("schedule"), paused); err != nil {
		return qstashError(err)
	}
	if paused {
		return r.redirect(r.back(), "Paused: nothing is sent until it is resumed.")
	}
	return r.redirect(r.back(), "Resumed.")
}

func runSchedule(r *request) error {
	ids, err := r.h.qstash.RunSchedule(r.Context(), r.resource.ID, r.PathValue("schedule"))
	if err != nil {
		return qstashError(err)
	}
	if len(ids) == 1 {
		return r.redirect(r.path("messages", ids[0]), "This message of the schedule is on its way.")
	}
	return r.redirect(r.back(), strconv.Itoa(len(ids))+" messages are on their way, one to each endpoint.")
}

func deleteSchedule(r *request) error {
	if err := r.h.qstash.DeleteSchedule(r.Context(), r.resource.ID, r.PathValue("schedule")); err != nil {
		return qstashError(err)
	}
	return r.redirect(r.path("schedules"), "The schedule was deleted. Messages that it has sent go on.")
}
