package kafka

import "strconv"

// Settings of Kafka by which logs are compacted. Times are in ms.
const (
	settingTombstones = "delete.retention.ms"
	settingMinLag     = "min.compaction.lag.ms"
	settingMaxLag     = "max.compaction.lag.ms"
	settingDirtyRatio = "min.cleanable.dirty.ratio"
)

// compaction says when a topic's logs are compacted, and what stays. Times are in ms.
type compaction struct {
	tombstones int64   // how long a message without a value stays readable after the first pass that has met it
	minLag     int64   // so old are messages at least, since they were appended, when a pass looks at them first
	maxLag     int64   // how old the last pass gets at most, if there is anything to do
	dirtyRatio float64 // the part of a log that is new when a pass is worth while
}

// compaction is what the settings say. Kafka has no default for maxLag: a log of which little changes would keep
// what was replaced for ever.
func (o *TopicOptions) compaction() compaction {
	const day = 24 * 60 * 60 * 1000
	c := compaction{tombstones: day, maxLag: 7 * day, dirtyRatio: 0.5}
	for name, at := range map[string]*int64{settingTombstones: &c.tombstones, settingMinLag: &c.minLag, settingMaxLag: &c.maxLag} {
		if text, ok := o.Setting(name); ok {
			if n, err := strconv.ParseInt(text, 10, 64); err == nil && n >= 0 {
				*at = n
			}
		}
	}
	if text, ok := o.Setting(settingDirtyRatio); ok {
		if f, err := strconv.ParseFloat(text, 64); err == nil && f >= 0 && f <= 1 {
			c.dirtyRatio = f
		}
	}
	return c
}

// isDue reports whether a pass over a log has enough to do.
func (c compaction) isDue(h *head, now int64) bool {
	dirty, age := h.bytes-h.cleaned.total, now-h.cleaned.at
	if dirty > 0 && (h.cleaned.at == 0 || float64(dirty) >= c.dirtyRatio*float64(dirty+h.cleaned.left) || age >= c.maxLag) {
		return true
	}
	return c.tombsAreDue(h.cleaned, now)
}

// tombsAreDue reports whether a pass is worth while that only removes tombstones.
func (c compaction) tombsAreDue(done cleaned, now int64) bool {
	return done.tombsDue > 0 && done.tombsDue <= now && now-done.at > c.tombstones/4
}

// isYoung reports whether a segment is too new to be compacted.
func (c compaction) isYoung(s *segment, now int64) bool {
	return c.minLag > 0 && s.appended > now-c.minLag
}
