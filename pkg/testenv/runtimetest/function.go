package runtimetest

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/skystash/skystash/pkg/bundle"
	"github.com/skystash/skystash/pkg/testenv/logbuffer"
)

// Build compiles a function (a path as seen from the module's folder, such as
// "./functions/redis") for this machine the way it is deployed, and returns the
// executable's path. If the environment variable SKYSTASH_PREBUILT names a folder in
// which scripts/prebuild has put it, that one is taken as it is: a test's time is not
// for compiling.
func Build(t testing.TB, pkg string) string {
	t.Helper()
	return BuildFor(t, pkg, runtime.GOARCH)
}

// BuildFor is Build for another architecture.
func BuildFor(t testing.TB, pkg, arch string) string {
	t.Helper()
	if dir := os.Getenv("SKYSTASH_PREBUILT"); dir != "" {
		built := filepath.Join(dir, arch, filepath.FromSlash(pkg))
		if _, err := os.Stat(built); err == nil {
			return built
		}
	}
	executable, err := bundle.Build(t.Context(), moduleFolder(t), pkg, arch, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return executable
}

// moduleFolder finds the folder of go.mod above the test's.
func moduleFolder(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			t.Fatal("no go.mod above the test's folder")
		}
		dir = parent
	}
}

// Event reads one of the sample events, such as "redis/get.json", and replaces
// placeholders: pairs of what to replace and by what, as strings.NewReplacer takes.
func Event(t testing.TB, name string, replacements ...string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(moduleFolder(t), "events", filepath.FromSlash(name)))
	if err != nil {
		t.Fatal(err)
	}
	return []byte(strings.NewReplacer(replacements...).Replace(string(text)))
}

// Function is a running function.
type Function struct {
	t      testing.TB
	api    *runtimeAPI
	cmd    *exec.Cmd
	exited chan struct{} // closed when the process has ended
	code   int           // exit code, once exited is closed
	output logbuffer.Buffer
}

// Start starts a function's executable. It gets no environment but what Lambda
// always sets and what is given as "NAME=value".
func Start(t testing.TB, executable string, env ...string) *Function {
	t.Helper()
	api, err := newRuntimeAPI()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(api.close)
	f := &Function{t: t, api: api, exited: make(chan struct{})}
	f.cmd = exec.Command(executable)
	f.cmd.Dir = t.TempDir()
	f.cmd.Env = append([]string{
		"AWS_LAMBDA_RUNTIME_API=" + api.addr,
		"AWS_LAMBDA_FUNCTION_NAME=test",
		"AWS_LAMBDA_FUNCTION_VERSION=$LATEST",
		"AWS_LAMBDA_FUNCTION_MEMORY_SIZE=512",
		"AWS_REGION=eu-central-1",
		"AWS_ACCESS_KEY_ID=test",
		"AWS_SECRET_ACCESS_KEY=test",
		"TZ=:UTC",
	}, env...)
	f.cmd.Stdout, f.cmd.Stderr = &f.output, &f.output
	if err := f.cmd.Start(); err != nil {
		t.Fatalf("start the function: %v", err)
	}
	go func() {
		f.cmd.Wait()
		f.code = f.cmd.ProcessState.ExitCode()
		close(f.exited)
	}()
	t.Cleanup(func() {
		f.cmd.Process.Kill()
		<-f.exited
	})
	return f
}

// Invoke hands the function an event and returns its answer; the test fails if
// there is none.
func (f *Function) Invoke(event []byte) Answer {
	f.t.Helper()
	return f.InvokeFor(event, InvokeTimeout)
}

// InvokeFor is Invoke with the time that the function is told it has.
func (f *Function) InvokeFor(event []byte, limit time.Duration) Answer {
	f.t.Helper()
	return f.invoke(event, limit, Trace)
}

// Trace is the trace that Invoke's invocations belong to.
const Trace = "Root=1-67c2f5c0-0123456789abcdef01234567;Sampled=0"

// InvokeTraced is Invoke as part of a trace, which the AWS SDK passes on with what the function sends.
func (f *Function) InvokeTraced(event []byte, trace string) Answer {
	f.t.Helper()
	return f.invoke(event, InvokeTimeout, trace)
}

func (f *Function) invoke(event []byte, limit time.Duration, trace string) Answer {
	f.t.Helper()
	answer, err := f.api.invoke(event, limit, trace, f.exited)
	if err != nil {
		f.t.Fatalf("%v; its output:\n%s", err, f.output.String())
	}
	return answer
}

// Exit waits for a function that ends by itself and returns its exit code and
// all it wrote.
func (f *Function) Exit() (code int, output string) {
	f.t.Helper()
	select {
	case <-f.exited:
	case <-time.After(patience):
		f.t.Fatalf("the function did not end; its output:\n%s", f.output.String())
	}
	return f.code, f.output.String()
}

// Output is what the function has written to standard output and error so far.
func (f *Function) Output() string { return f.output.String() }

// Shutdown ends the function as Lambda ends an instance, and returns all it wrote: a process that has registered as an extension
// gets SIGTERM and some time, any other one is killed.
func (f *Function) Shutdown() string {
	f.t.Helper()
	if !f.api.extended.Load() {
		return f.Kill()
	}
	if err := f.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		f.t.Fatalf("the function has ended: %v", err)
	}
	_, output := f.Exit()
	return output
}

// Freeze stops the process, as Lambda does between invocations: nothing goes on in the background, and connections grow old.
func (f *Function) Freeze() { f.signal(syscall.SIGSTOP) }

// Thaw lets a process that is frozen go on.
func (f *Function) Thaw() { f.signal(syscall.SIGCONT) }

func (f *Function) signal(s syscall.Signal) {
	f.t.Helper()
	if err := f.cmd.Process.Signal(s); err != nil {
		f.t.Fatalf("the function has ended: %v; its output:\n%s", err, f.output.String())
	}
}

// Kill ends the function and returns all it wrote, which Output may not have yet.
func (f *Function) Kill() string {
	f.cmd.Process.Kill()
	<-f.exited
	return f.output.String()
}

// ColdStart starts the executable, hands it an event and returns the time from
// the start of the process to the answer.
func ColdStart(t testing.TB, executable string, event []byte, env ...string) (time.Duration, Answer) {
	t.Helper()
	begin := time.Now()
	f := Start(t, executable, env...)
	answer := f.Invoke(event)
	took := time.Since(begin)
	f.cmd.Process.Kill()
	<-f.exited
	return took, answer
}
