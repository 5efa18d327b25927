// Command release makes what is published of a version, as files in a folder: programs for all platforms, an image
// for containers, packages for npm, a formula for Homebrew, checksums and a bill of materials. It needs Go and Git alone,
// and publishes nothing.
//
//	go run ./scripts/release                                  # all platforms, into build/release
//	go run ./scripts/release -platforms linux/amd64 -out /tmp/r
//
// The version is that of the tag at the commit, or made of the last tag and the commit. Its section of CHANGELOG.md becomes
// notes.md; a version that is tagged must have one, and prices (pkg/meter/price) that are not older than half a year. Dates in the files are that of the commit, so that the same
// commit and the same Go make the same bytes.
//
// # Size
//
// The linker leaves out methods that nobody calls, unless the program looks one up by a name that is known only when
// it runs. text/template does, for {{.Value.Method}}, and then every method of AWS's clients stays. The console's templates
// call functions instead, so releases are built with a text/template that finds no methods: an overlay of the one
// line, see overlay. Its tests run with it, too (-check). The same way, Brotli is left out, which fasthttp could speak and nobody
// asks it to. Code that is not in a hurry is built without inlining.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/skystash/skystash/pkg/meter/price"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:], os.Stderr)
	stop()
	switch {
	case errors.Is(err, flag.ErrHelp):
		os.Exit(2)
	case err != nil:
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

// platform is an operating system and a processor, in Go's words.
type platform struct{ os, arch string }

func (p platform) String() string { return p.os + "/" + p.arch }

// program is the name of the program's file.
func (p platform) program() string {
	if p.os == "windows" {
		return "skystash.exe"
	}
	return "skystash"
}

// platforms are all that there are releases for.
var platforms = []platform{
	{"linux", "amd64"}, {"linux", "arm64"}, {"darwin", "amd64"}, {"darwin", "arm64"}, {"windows", "amd64"}, {"windows", "arm64"},
}

// release is one run.
type release struct {
	root      string // of the module
	out       string
	version   string // without "v"
	date      time.Time
	platforms []platform
	log       io.Writer

	files []string // in out, that are published
}

func run(ctx context.Context, args []string, log io.Writer) error {
	r := &release{log: log}
	fs := flag.NewFlagSet("release", flag.ContinueOnError)
	fs.SetOutput(log)
	fs.StringVar(&r.out, "out", filepath.Join("build", "release"), "`folder` to write into; what is in it is deleted")
	fs.StringVar(&r.version, "version", "", "`version`; that of Git's tags if not given")
	list := fs.String("platforms", "", "`platforms`, such as linux/amd64,darwin/arm64; all if not given")
	check := fs.Bool("check", true, "run the console's tests as the release is built, before")
	bill := fs.Bool("sbom", true, "write the bill of materials")
	if err := fs.Parse(args); err != nil {
		return err
	}
	var err error
	if r.platforms, err = parsePlatforms(*list); err != nil {
		return err
	}
	if err := r.prepare(ctx); err != nil {
		return err
	}
	overlayFile, remove, err := r.overlay(ctx)
	if err != nil {
		return err
	}
	defer remove()
	modFile, err := r.modules(filepath.Dir(overlayFile))
	if err != nil {
		return err
	}
	if *check {
		r.say("testing the console as the release is built")
		if err := r.command(ctx, nil, "go", "test", "-overlay", overlayFile, "./pkg/console"); err != nil {
			return err
		}
	}
	steps := []func(context.Context) error{r.archives, r.npm, r.image, r.formula, r.notes}
	if *bill {
		steps = append(steps, r.sbom)
	}
	for _, p := range r.platforms {
		if err := r.build(ctx, p, overlayFile, modFile); err != nil {
			return err
		}
	}
	for _, step := range append(steps, r.checksums) {
		if err := step(ctx); err != nil {
			return err
		}
	}
	r.say("skystash %s is in %s", r.version, r.out)
	return nil
}

func parsePlatforms(list string) ([]platform, error) {
	if list == "" {
		return platforms, nil
	}
	var chosen []platform
	for text := range strings.SplitSeq(list, ",") {
		i := slices.IndexFunc(platforms, func(p platform) bool { return p.String() == text })
		if i < 0 {
			return nil, fmt.Errorf("flag -platforms: %q is none of %v", text, platforms)
		}
		chosen = append(chosen, platforms[i])
	}
	return chosen, nil
}

// prepare finds the module, the version and the date, and makes an empty folder.
func (r *release) prepare(ctx context.Context) error {
	gomod, err := r.output(ctx, "go", "env", "GOMOD")
	if err != nil {
		return err
	}
	if r.root = filepath.Dir(gomod); gomod == "" || gomod == os.DevNull {
		return errors.New("run it in the folder of the module")
	}
	if r.version == "" {
		if r.version, err = r.output(ctx, "git", "describe", "--tags", "--match", "v[0-9]*", "--always", "--dirty"); err != nil {
			return err
		}
		if !strings.HasPrefix(r.version, "v") { // no tag yet: the commit alone
			r.version = "0.0.0-" + r.version
		}
	}
	r.version = strings.TrimPrefix(r.version, "v")
	seconds, err := r.output(ctx, "git", "log", "-1", "--format=%ct")
	if err != nil {
		return err
	}
	unix, err := strconv.ParseInt(seconds, 10, 64)
	if err != nil {
		return fmt.Errorf("the date of the commit: %w", err)
	}
	r.date = time.Unix(unix, 0).UTC()
	if err := r.checkPrices(); err != nil {
		return err
	}
	if r.out, err = filepath.Abs(r.out); err != nil {
		return err
	}
	if err := os.RemoveAll(r.out); err != nil {
		return err
	}
	return os.MkdirAll(r.out, 0o750)
}

// tagged reports whether the version is that of a tag, and not of a commit behind it.
func (r *release) tagged() bool { return !strings.Contains(r.version, "-") }

// checkPrices refuses a version that is tagged if the prices that costs are reckoned with are old by the commit's date.
func (r *release) checkPrices() error {
	if !r.tagged() {
		return nil
	}
	return price.Prices().Check(r.date)
}

func (r *release) say(format string, args ...any) { fmt.Fprintf(r.log, format+"\n", args...) }

// command runs a program in the module's folder, with more variables in its environment.
func (r *release) command(ctx context.Context, env []string, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.Env = r.root, append(os.Environ(), env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", strings.Join(cmd.Args, " "), err, out)
	}
	return nil
}

// output runs a program and returns what it prints, without the end of the line.
func (r *release) output(ctx context.Context, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = r.root
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s: %w", strings.Join(cmd.Args, " "), err)
	}
	return strings.TrimSpace(string(out)), nil
}

// binary is where the program of a platform is.
func (r *release) binary(p platform) string {
	return filepath.Join(r.out, "bin", p.os+"-"+p.arch, p.program())
}

// here is the platform of this machine.
func here() platform { return platform{runtime.GOOS, runtime.GOARCH} }
