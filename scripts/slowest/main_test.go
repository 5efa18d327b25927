package main

import (
	"strings"
	"testing"
)

const m = "github.com/skystash/skystash/"

func TestOutputOfFailuresIsShownAndTimesAreListed(t *testing.T) {
	in := strings.Join([]string{
		`go: downloading something`,
		`{"Action":"build-output","ImportPath":"` + m + `pkg/broken","Output":"pkg/broken/x.go:1: undefined\n"}`,
		`{"Action":"run","Package":"` + m + `pkg/a","Test":"TestGood"}`,
		`{"Action":"output","Package":"` + m + `pkg/a","Test":"TestGood","Output":"=== RUN   TestGood\n"}`,
		`{"Action":"output","Package":"` + m + `pkg/a","Test":"TestGood","Output":"    a_test.go:1: of no interest\n"}`,
		`{"Action":"output","Package":"` + m + `pkg/a","Test":"TestGood","Output":"--- PASS: TestGood (9.00s)\n"}`,
		`{"Action":"pass","Package":"` + m + `pkg/a","Test":"TestGood","Elapsed":9}`,
		`{"Action":"output","Package":"` + m + `pkg/a","Test":"TestBad/row","Output":"        a_test.go:2: is 1, want 2\n"}`,
		`{"Action":"output","Package":"` + m + `pkg/a","Test":"TestBad/row","Output":"    --- FAIL: TestBad/row (0.00s)\n"}`,
		`{"Action":"fail","Package":"` + m + `pkg/a","Test":"TestBad/row","Elapsed":0}`,
		`{"Action":"output","Package":"` + m + `pkg/a","Test":"TestBad","Output":"--- FAIL: TestBad (0.00s)\n"}`,
		`{"Action":"fail","Package":"` + m + `pkg/a","Test":"TestBad","Elapsed":0.5}`,
		`{"Action":"output","Package":"` + m + `pkg/a","Test":"TestPanics","Output":"panic: at the end\n"}`,
		`{"Action":"output","Package":"` + m + `pkg/a","Output":"FAIL\tpkg/a\t10.0s\n"}`,
		`{"Action":"fail","Package":"` + m + `pkg/a","Elapsed":10}`,
		`{"Action":"output","Package":"` + m + `pkg/b","Output":"a line of its log\n"}`,
		`{"Action":"output","Package":"` + m + `pkg/b","Output":"ok  \tpkg/b\t2.0s\n"}`,
		`{"Action":"pass","Package":"` + m + `pkg/b","Elapsed":2}`,
	}, "\n")
	const want = `go: downloading something
pkg/broken/x.go:1: undefined
        a_test.go:2: is 1, want 2
    --- FAIL: TestBad/row (0.00s)
--- FAIL: TestBad (0.00s)
panic: at the end
FAIL	pkg/a	10.0s
ok  	pkg/b	2.0s
-- slowest packages
   10.0s  pkg/a
    2.0s  pkg/b
-- slowest tests
    9.0s  pkg/a TestGood
`
	var out strings.Builder
	if err := run(strings.NewReader(in), &out); err != nil || out.String() != want {
		t.Errorf("got\n%s\n%v, want\n%s", out.String(), err, want)
	}
}
