package runtimetest

import (
	"encoding/json"
	"strings"
	"testing"
)

const echo = "./pkg/testenv/runtimetest/testdata/echo"

func TestFunctionIsDriven(t *testing.T) {
	f := Start(t, Build(t, echo), "GREETING=hello ")
	requests := map[string]bool{}
	for i := 1; i <= 3; i++ {
		answer := f.Invoke([]byte(`"world"`))
		var got struct {
			Text, Request string
			Count         int
			Deadline      bool
		}
		if err := json.Unmarshal(answer.Payload, &got); err != nil || answer.Failed {
			t.Fatalf("answer %+v, %v", answer, err)
		}
		if got.Text != "hello world" || got.Count != i || !got.Deadline {
			t.Errorf("invocation %d: got %+v", i, got)
		}
		requests[got.Request] = true
	}
	if len(requests) != 3 {
		t.Errorf("request ids %v, want three", requests)
	}

	answer := f.Invoke([]byte(`"fail"`))
	if !answer.Failed || !strings.Contains(string(answer.Payload), "failed as asked") {
		t.Errorf("got %v %s, want the function's error", answer.Failed, answer.Payload)
	}
	if answer := f.Invoke([]byte(`"again"`)); answer.Failed {
		t.Errorf("after an error: %s", answer.Payload)
	}
}

func TestFunctionThatEnds(t *testing.T) {
	bin := Build(t, echo)
	t.Run("at once", func(t *testing.T) {
		f := Start(t, bin)
		if code, output := f.Exit(); code != 3 || !strings.Contains(output, "GREETING") {
			t.Errorf("code %d, output %q", code, output)
		}
		if _, err := f.api.invoke([]byte(`""`), InvokeTimeout, Trace, f.exited); err == nil {
			t.Error("a process that has ended answered")
		}
	})
	t.Run("while it works", func(t *testing.T) {
		f := Start(t, bin, "GREETING=x")
		if _, err := f.api.invoke([]byte(`"exit"`), InvokeTimeout, Trace, f.exited); err == nil || !strings.Contains(err.Error(), "before it answered") {
			t.Errorf("got %v", err)
		}
		if code, _ := f.Exit(); code != 4 {
			t.Errorf("code %d, want 4", code)
		}
	})
}

func TestColdStartEndsWithTheFirstAnswer(t *testing.T) {
	took, answer := ColdStart(t, Build(t, echo), []byte(`"x"`), "GREETING=y")
	if took <= 0 || answer.Failed || !strings.Contains(string(answer.Payload), `"count":1`) {
		t.Errorf("%v, %+v", took, answer)
	}
}
