package groups

import "encoding/binary"

// writer appends numbers in few bytes if they are small.
type writer []byte

func (w *writer) number(n int64) { *w = binary.AppendVarint(*w, n) }

func (w *writer) flag(b bool) {
	n := int64(0)
	if b {
		n = 1
	}
	w.number(n)
}

func (w *writer) text(s string) {
	w.number(int64(len(s)))
	*w = append(*w, s...)
}

// before writes an offset that is None, or at most another one.
func (w *writer) before(other, n int64) {
	if n == None {
		w.number(-1)
		return
	}
	w.number(other - n)
}

// reader reads what a writer has written. bad: it was something else.
type reader struct {
	rest string
	bad  bool
}

func (r *reader) byte() byte {
	if r.rest == "" {
		r.bad = true
		return 0
	}
	b := r.rest[0]
	r.rest = r.rest[1:]
	return b
}

func (r *reader) number() int64 {
	n, size := binary.Varint([]byte(r.rest[:min(len(r.rest), binary.MaxVarintLen64)]))
	if size <= 0 {
		r.bad, r.rest = true, ""
		return 0
	}
	r.rest = r.rest[size:]
	return n
}

func (r *reader) flag() bool { return r.number() != 0 }

// count is a number of things that take a byte or more each.
func (r *reader) count() int {
	n := r.number()
	if n < 0 || n > int64(len(r.rest)) {
		r.bad, r.rest = true, ""
		return 0
	}
	return int(n)
}

func (r *reader) text() string {
	n := r.count()
	s := r.rest[:n]
	r.rest = r.rest[n:]
	return s
}

func (r *reader) before(other int64) int64 {
	n := r.number()
	if n < 0 {
		return None
	}
	return other - n
}

func (w *writer) texts(list []string) {
	w.number(int64(len(list)))
	for _, s := range list {
		w.text(s)
	}
}

func (r *reader) texts() (list []string) {
	for range r.count() {
		list = append(list, r.text())
	}
	return list
}

func (w *writer) options(o Options) {
	w.flag(o.Auto)
	w.number(o.Interval)
	w.text(string(o.Reset))
	w.number(o.Timeout)
}

func (r *reader) options() Options {
	return Options{Auto: r.flag(), Interval: r.number(), Reset: Reset(r.text()), Timeout: r.number()}
}
