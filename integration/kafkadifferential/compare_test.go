package kafkadifferential

import (
	"encoding/binary"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// free are fields that a server fills as it likes.
var free = []string{
	"Version", "UnknownTags", "ThrottleMillis", "ErrorMessage", "ClusterID", "Host", "Port", "Rack", "ClientHost", "Dir", "Size", "TotalBytes", "UsableBytes", "Documentation",
	"ClusterAuthorizedOperations", "AuthorizedOperations",
}

// keys are fields that name an element of an array.
var keys = []string{"Topic", "TopicID", "Partition", "Group", "ResourceName", "Name", "Key", "InstanceID", "MemberID", "NodeID"}

// flatten takes an answer apart into fields by their paths. Arrays are sets: Kafka promises no order.
func (s *side) flatten(out map[string]string, path string, v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			out[path] = "null"
			return
		}
		s.flatten(out, path, v.Elem())
	case reflect.Struct:
		for i := range v.NumField() {
			if name := v.Type().Field(i).Name; !slices.Contains(free, name) {
				s.flatten(out, join(path, name), v.Field(i))
			}
		}
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			out[path] = s.bytes(path, v.Bytes())
			return
		}
		s.flattenSet(out, path, v)
	default:
		out[path] = s.scalar(path[strings.LastIndexByte(path, '.')+1:], v)
	}
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

func (s *side) flattenSet(out map[string]string, path string, v reflect.Value) {
	order := make([]int, v.Len())
	names := make([]string, v.Len())
	for i := range order {
		order[i], names[i] = i, s.key(v.Index(i))
	}
	slices.SortStableFunc(order, func(a, b int) int { return strings.Compare(names[a], names[b]) })
	for _, i := range order {
		at := fmt.Sprintf("%s[%s]", path, names[i])
		for n := 2; out[at] != ""; n++ {
			at = fmt.Sprintf("%s[%s/%d]", path, names[i], n)
		}
		out[at] = "there"
		if v.Index(i).Kind() == reflect.Struct {
			s.flatten(out, at, v.Index(i))
		}
	}
}

// key names an element of an array.
func (s *side) key(v reflect.Value) string {
	if v.Kind() != reflect.Struct {
		return fmt.Sprint(v)
	}
	var parts []string
	for _, name := range keys {
		if f := v.FieldByName(name); f.IsValid() {
			if f.Kind() == reflect.Pointer && f.IsNil() || (name == "TopicID" || name == "NodeID") && len(parts) > 0 {
				continue
			}
			parts = append(parts, s.scalar(name, reflect.Indirect(f)))
		}
	}
	return strings.Join(parts, " ")
}

// scalar is a value that is compared.
func (s *side) scalar(name string, v reflect.Value) string {
	switch x := v.Interface().(type) {
	case string:
		if (name == "MemberID" || name == "LeaderID") && x != "" && x != stranger {
			return symbol(&s.members, x)
		}
	case [16]byte:
		if x == ([16]byte{}) {
			return "no id"
		}
		return symbol(&s.topics, x)
	case int64:
		if name == "ProducerID" && x >= 0 {
			return symbol(&s.producers, x)
		}
	}
	return fmt.Sprint(v)
}

// bytes are bytes as they are compared: batches without what the server gives them.
func (s *side) bytes(path string, b []byte) string {
	if !strings.HasSuffix(path, "RecordBatches") {
		return string(b)
	}
	var out []string
	for len(b) >= 61 {
		size := 12 + int(binary.BigEndian.Uint32(b[8:]))
		if size > len(b) {
			break
		}
		var batch kmsg.RecordBatch
		if err := batch.ReadFrom(b[:size]); err != nil {
			return err.Error()
		}
		pid := "none"
		if batch.ProducerID >= 0 {
			pid = symbol(&s.producers, batch.ProducerID)
		}
		out = append(out, fmt.Sprintf("%d+%d: %d records, attributes %x, times %d-%d, producer %s/%d/%d, %x", batch.FirstOffset, batch.LastOffsetDelta, batch.NumRecords,
			batch.Attributes, batch.FirstTimestamp, batch.MaxTimestamp, pid, batch.ProducerEpoch, batch.FirstSequence, batch.Records))
		b = b[size:]
	}
	return strings.Join(out, "\n")
}

// difference is a field in which two answers differ.
type difference struct {
	req       kmsg.Request
	path      string
	want, got string // "": the field is not there
}

func (d difference) String() string {
	return fmt.Sprintf("%s: kfake %q, ours %q", d.path, d.want, d.got)
}

// is reports whether the difference is between two values in an answer to a request of a type.
func (d difference) is(key kmsg.Key, field, want, got string) bool {
	return d.req.Key() == int16(key) && strings.HasSuffix("."+d.path, "."+field) && d.want == want && d.got == got
}

// compare finds the differences between two answers, by field.
func compare(req kmsg.Request, fake, ours *side, want, got any) (out []difference) {
	w, g := fake.fields(want), ours.fields(got)
	paths := map[string]bool{}
	for p := range w {
		paths[p] = true
	}
	for p := range g {
		paths[p] = true
	}
	for p := range paths {
		if w[p] != g[p] {
			out = append(out, difference{req, p, w[p], g[p]})
		}
	}
	slices.SortFunc(out, func(a, b difference) int { return strings.Compare(a.path, b.path) })
	return slices.DeleteFunc(out, func(d difference) bool { // of an element that is not there at all
		return slices.ContainsFunc(out, func(e difference) bool { return strings.HasPrefix(d.path, e.path+".") && (e.want == "" || e.got == "") })
	})
}

// fields are the fields of an answer by their paths; nil: the connection was closed.
func (s *side) fields(resp any) map[string]string {
	if r, ok := resp.(kmsg.Response); resp == nil || ok && r == nil {
		return map[string]string{"": "closed"}
	}
	out := map[string]string{}
	s.flatten(out, "", reflect.ValueOf(resp))
	return out
}
