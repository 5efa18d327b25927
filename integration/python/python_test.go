// Package python_test runs an application with FastAPI, qstash and upstash-workflow against the local server.
package python_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/skystash/skystash/integration/local"
)

func TestPythonUsersGetWhatTheirClientsPromise(t *testing.T) {
	python, err := filepath.Abs("../venv/bin/python")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(python); err != nil {
		t.Fatalf("%v: run scripts/test, or: python3 -m venv integration/venv && integration/venv/bin/pip install -r integration/requirements.txt", err)
	}
	// go test remembers a result for as long as what the test has looked at stays as it is.
	if _, err := os.Stat("app.py"); err != nil {
		t.Fatal(err)
	}
	s := local.New(t, local.Build(t), "-data", filepath.Join(t.TempDir(), "data"))
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	app := exec.CommandContext(t.Context(), python, "app.py")
	app.Env = os.Environ()
	for _, name := range []string{"QSTASH_URL", "QSTASH_TOKEN", "QSTASH_CURRENT_SIGNING_KEY", "QSTASH_NEXT_SIGNING_KEY"} {
		app.Env = append(app.Env, name+"="+s.Var(name))
	}
	if out, err := app.CombinedOutput(); err != nil || !strings.HasSuffix(strings.TrimSpace(string(out)), "everything has come") {
		t.Errorf("%v\n%s", err, out)
	}
}
