package edge

// CORS lets pages of any origin call an API. Any may: what protects the data is the token, and
// browsers add none by themselves.
type CORS struct {
	Methods     string // that are allowed, separated by ", "
	Expose      string // header fields of answers that pages may read; "": those that all may
	Credentials bool   // requests may carry cookies and the like: the answer repeats the origin
}

// Allow sets the header fields of any answer. It returns the request's header field by which they
// vary, for Compress; "" if there is none.
func (c *CORS) Allow(origin string, w HeaderWriter) (vary string) {
	if c.Expose != "" {
		w.SetHeader("Access-Control-Expose-Headers", c.Expose)
	}
	if !c.Credentials || origin == "" {
		w.SetHeader("Access-Control-Allow-Origin", "*")
		return ""
	}
	w.SetHeader("Access-Control-Allow-Origin", origin)
	w.SetHeader("Access-Control-Allow-Credentials", "true")
	w.SetHeader("Vary", "Origin")
	return "Origin"
}

// Preflight sets the header fields of the answer to OPTIONS, whose status is 200 and which has no
// body. It needs no token: browsers send none with it.
func (c *CORS) Preflight(r HeaderReader, w HeaderWriter) {
	// Browsers look at Access-Control-Expose-Headers in the answer itself only.
	(&CORS{Credentials: c.Credentials}).Allow(r.Get("Origin"), w)
	w.SetHeader("Access-Control-Allow-Methods", c.Methods)
	if asked := r.Get("Access-Control-Request-Headers"); asked != "" {
		w.SetHeader("Access-Control-Allow-Headers", asked)
	}
	w.SetHeader("Access-Control-Max-Age", "86400")
	w.SetHeader("Allow", c.Methods)
	w.SetHeader("Content-Length", "0")
}
