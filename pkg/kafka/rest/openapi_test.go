package rest

import (
	"encoding/json"
	"maps"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// document is the part of docs/openapi/kafka.json that is compared with the code.
type document struct {
	Paths      map[string]map[string]json.RawMessage
	Components struct {
		Schemas map[string]struct {
			Required   []string
			Properties map[string]any
		}
	}
}

func readDocument(t *testing.T) (d document, text string) {
	t.Helper()
	raw, err := os.ReadFile("../../../docs/openapi/kafka.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, &d); err != nil {
		t.Fatal(err)
	}
	return d, string(raw)
}

func TestOpenAPIDocumentHasExactlyTheEndpoints(t *testing.T) {
	d, _ := readDocument(t)
	depths := map[string][]int{} // by endpoint, how many segments its documented paths have behind its name
	for path, item := range d.Paths {
		segments := strings.Split(strings.TrimPrefix(path, "/"), "/")
		e, ok := endpoints[segments[0]]
		if !ok {
			t.Errorf("%s is no endpoint", path)
			continue
		}
		depths[segments[0]] = append(depths[segments[0]], len(segments)-1)
		var methods []string
		for name := range maps.Keys(item) {
			if name != "parameters" {
				methods = append(methods, strings.ToUpper(name))
			}
		}
		want := strings.Fields(e.methods)
		slices.Sort(methods)
		slices.Sort(want)
		if !slices.Equal(methods, want) {
			t.Errorf("%s: documented %v, served %v", path, methods, want)
		}
	}
	for name, e := range endpoints {
		last := e.max
		if last < 0 {
			last = 2 // a message is all that follows the topic
		}
		var want []int
		for n := e.min; n <= last; n++ {
			want = append(want, n)
		}
		slices.Sort(depths[name])
		if !slices.Equal(depths[name], want) {
			t.Errorf("/%s: paths with %v segments behind it are documented, it is served with %v", name, depths[name], want)
		}
	}
}

func TestOpenAPIDocumentHasTheFieldsOfBodies(t *testing.T) {
	d, text := readDocument(t)
	for name, of := range map[string]any{
		"NewMessage": newMessage{}, "Header": newHeader{}, "Metadata": metadata{}, "Offset": offsetAnswer{}, "Success": success{},
		"Group": groupAnswer{}, "Instance": instanceAnswer{}, "Assigned": topicAnswer{}, "Lag": lagAnswer{}, "Failure": failure{},
	} {
		var want []string
		for field := range reflect.TypeOf(of).Fields() {
			tag, _, _ := strings.Cut(field.Tag.Get("json"), ",")
			want = append(want, tag)
		}
		slices.Sort(want)
		if got := slices.Sorted(maps.Keys(d.Components.Schemas[name].Properties)); !slices.Equal(got, want) {
			t.Errorf("%s has the fields %v in the document, %v in the code", name, got, want)
		}
	}
	for name, schema := range d.Components.Schemas {
		for _, field := range schema.Required {
			if schema.Properties[field] == nil {
				t.Errorf("%s requires %s, which it has not", name, field)
			}
		}
	}
	for _, ref := range regexp.MustCompile(`"#/components/schemas/(\w+)"`).FindAllStringSubmatch(text, -1) {
		if _, ok := d.Components.Schemas[ref[1]]; !ok {
			t.Errorf("%s leads nowhere", ref[0])
		}
	}
}
