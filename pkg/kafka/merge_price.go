package kafka

import "time"

// List prices in us-east-1, in dollars. A test compares them with the list of package price.
const (
	dollarsPerReadUnit       = 0.125e-6 // of 4 KiB
	dollarsPerWriteUnit      = 0.625e-6 // of 1 KiB
	dollarsPerObjectPut      = 5e-6
	dollarsPerObjectGet      = 0.4e-6
	dollarsPerBytesInTable   = 0.25e-9 // a month
	dollarsPerBytesInObjects = 0.023e-9

	// itemOverhead is how many bytes DynamoDB counts for each item besides what it holds, and segmentOverhead those of a
	// segment's key and attributes besides its data.
	itemOverhead    = 100
	segmentOverhead = 90
	// mergedOverhead is the size of a merged segment's item.
	mergedOverhead = 400
	// headUnits are the write units of the two changes of the head that a merge takes.
	headUnits = 2

	month = 30.4 * 24 * 60 * 60 * 1000 // ms
	// keptForEver is for how long messages count as kept whose topic keeps them for ever, in months.
	keptForEver = 60
)

// SegmentSize is a segment's size as MergePrice has to know it.
type SegmentSize struct {
	Bytes    int64 // of its batches
	InObject bool
}

// MergePrice is what it costs to merge segments into one object, in dollars, and what that saves a month. DynamoDB bills a
// deletion, and a replacement, by the larger of an item's sizes before and after it. So moving data costs what
// writing it did.
func MergePrice(segments []SegmentSize) (once, monthly float64) {
	var bytes, read int64
	for _, s := range segments {
		item := s.Bytes + segmentOverhead
		if s.InObject {
			item = segmentOverhead + itemOverhead
			once += dollarsPerObjectGet
		} else {
			monthly += float64(s.Bytes) * (dollarsPerBytesInTable - dollarsPerBytesInObjects)
		}
		bytes, read = bytes+s.Bytes, read+item
		once += float64((item+1023)/1024) * dollarsPerWriteUnit
		monthly += (segmentOverhead + itemOverhead) * dollarsPerBytesInTable
	}
	once += float64((read+4095)/4096)*dollarsPerReadUnit + dollarsPerObjectPut + headUnits*dollarsPerWriteUnit
	monthly -= (mergedOverhead + itemOverhead) * dollarsPerBytesInTable
	return once, monthly
}

// MinMergeRetention is how long a topic keeps its messages at least if merging can pay at all: items of just one write
// unit, in the largest objects, are the ones that pay first.
func MinMergeRetention() time.Duration {
	segments := make([]SegmentSize, DefaultMergeBytes>>10)
	for i := range segments {
		segments[i].Bytes = 1<<10 - segmentOverhead
	}
	once, monthly := MergePrice(segments)
	return time.Duration(once / monthly * month * float64(time.Millisecond))
}

// mergePaysOff reports whether a run is kept for so long that merging it costs less than it saves.
func mergePaysOff(h *head, r *run, now int64) bool {
	months := float64(keptForEver)
	if until := h.goneAt(r.first().appended, r.first().expires); until > 0 {
		months = float64(until-now) / month
	}
	sizes := make([]SegmentSize, len(r.segments))
	for i, s := range r.segments {
		sizes[i] = SegmentSize{s.size(), s.object != ""}
	}
	once, monthly := MergePrice(sizes)
	return monthly*months > once
}
