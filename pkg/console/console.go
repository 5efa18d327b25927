package console

import (
	"context"
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/skystash/skystash/pkg/control"
	"github.com/skystash/skystash/pkg/edge"
	"github.com/skystash/skystash/pkg/kafka"
	"github.com/skystash/skystash/pkg/meter"
	"github.com/skystash/skystash/pkg/qstash"
	"github.com/skystash/skystash/pkg/redis"
	"github.com/skystash/skystash/pkg/store"
)

// Base is where the handler is mounted: it sees paths as they are, with Base.
const Base = "/console"

// Config is what a Handler is made of.
type Config struct {
	Control *control.Engine
	Book    *meter.Book
	Store   store.Store // the control table, for sessions

	// Live is what the server that the console is part of has answered of late; nil: it is not part of one, as on AWS.
	Live *meter.Live

	// The products; nil: not deployed.
	Redis  *redis.Engine
	Kafka  *kafka.Engine
	QStash *qstash.Engine

	ReadRegions []string // where databases are read besides the deployment's own region

	// SecureCookies is for HTTPS. Without it, cookies also work over plain HTTP on a loopback address.
	SecureCookies bool

	Now    func() time.Time // nil: time.Now
	Logger *slog.Logger     // nil: slog.Default
}

// Handler serves the console.
type Handler struct {
	control *control.Engine
	book    *meter.Book
	live    *meter.Live // nil: see Config
	sizer   *meter.Sizer
	redis   *redis.Engine
	kafka   *kafka.Engine
	qstash  *qstash.Engine

	sessions sessions
	assets   *assets
	views    map[string]*template.Template
	pages    []*page
	mux      *http.ServeMux
	origins  *http.CrossOriginProtection
	regions  []string // see ReadRegions
	secure   bool
	now      func() time.Time
	log      *slog.Logger
}

// New makes a Handler.
func New(cfg Config) (*Handler, error) {
	h := &Handler{
		control: cfg.Control, book: cfg.Book, redis: cfg.Redis, kafka: cfg.Kafka, qstash: cfg.QStash,
		mux: http.NewServeMux(), origins: http.NewCrossOriginProtection(),
		live: cfg.Live, regions: cfg.ReadRegions, secure: cfg.SecureCookies, now: cfg.Now, log: cfg.Logger,
	}
	if h.now == nil {
		h.now = time.Now
	}
	if h.log == nil {
		h.log = slog.Default()
	}
	h.sizer = newSizer(cfg, h.now)
	h.sessions = sessions{store: cfg.Store, now: h.now}
	var err error
	if h.assets, err = loadAssets(); err != nil {
		return nil, err
	}
	h.pages = allPages()
	if h.views, err = h.parseViews(); err != nil {
		return nil, err
	}
	for _, p := range h.pages {
		if p.view != "" && h.views[p.view] == nil {
			return nil, fmt.Errorf("console: page %s has no template %s", p.route, p.view)
		}
		h.mux.Handle(p.pattern(), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { h.servePage(w, r, p) }))
	}
	h.mux.Handle("GET "+Base+"/assets/", http.StripPrefix(Base+"/assets/", h.assets))
	h.mux.Handle("GET "+Base, http.RedirectHandler(Base+"/", http.StatusSeeOther))
	h.mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { h.servePage(w, r, missingPage) })
	return h, nil
}

// newSizer makes what measures a resource's storage when somebody asks for it.
func newSizer(cfg Config, now func() time.Time) *meter.Sizer {
	measure := map[string]func(context.Context, string) (meter.Storage, error){}
	if cfg.Redis != nil {
		measure[string(control.Redis)] = cfg.Redis.Size
	}
	if cfg.Kafka != nil {
		measure[string(control.Kafka)] = cfg.Kafka.Size
	}
	if cfg.QStash != nil {
		measure[string(control.QStash)] = cfg.QStash.Size
	}
	return meter.NewSizer(meter.SizerConfig{Store: cfg.Store, Measure: measure, Now: now, Logger: cfg.Logger})
}

// Serves reports whether a path is one of the console's.
func Serves(path string) bool { return path == Base || strings.HasPrefix(path, Base+"/") }

// ServeHTTP implements http.Handler.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.secureHeaders(w.Header())
	h.mux.ServeHTTP(w, r)
}

// servePage serves a request to a page.
func (h *Handler) servePage(w http.ResponseWriter, hr *http.Request, p *page) {
	r := &request{Request: hr, h: h, w: w, page: p}
	edge.NoStore(edge.HTTPHeader(w.Header())) // redirections as well, which Send does not send
	if err := r.serveSafely(); err != nil {
		r.fail(err)
	}
}

// serveSafely turns a panic into an error.
func (r *request) serveSafely() (err error) {
	defer edge.Recover(&err)
	return r.serve()
}
