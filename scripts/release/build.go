package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// methodLookup is the line of text/template that finds methods by name, and what stands there in a release.
const (
	methodLookup = "if method := ptr.MethodByName(fieldName); method.IsValid() {"
	noMethods    = "if method := (reflect.Value{}); method.IsValid() {"
)

// overlay writes the file that makes go build take a text/template without methods, see the package comment.
func (r *release) overlay(ctx context.Context) (file string, remove func(), err error) {
	goroot, err := r.output(ctx, "go", "env", "GOROOT")
	if err != nil {
		return "", nil, err
	}
	original := filepath.Join(goroot, "src", "text", "template", "exec.go")
	text, err := os.ReadFile(original)
	if err != nil {
		return "", nil, fmt.Errorf("reading text/template: %w", err)
	}
	if strings.Count(string(text), methodLookup) != 1 {
		return "", nil, errors.New("this version of Go looks methods up in another way than scripts/release/build.go says")
	}
	dir, err := os.MkdirTemp("", "skystash-release-")
	if err != nil {
		return "", nil, err
	}
	remove = func() { os.RemoveAll(dir) }
	changed, list := filepath.Join(dir, "exec.go"), filepath.Join(dir, "overlay.json")
	replace, err := json.Marshal(map[string]map[string]string{"Replace": {original: changed}})
	if err == nil {
		err = errors.Join(
			os.WriteFile(changed, []byte(strings.Replace(string(text), methodLookup, noMethods, 1)), 0o600), // #nosec G703 -- in a folder of our own
			os.WriteFile(list, replace, 0o600), // #nosec G703 -- in a folder of our own
		)
	}
	if err != nil {
		remove()
		return "", nil, fmt.Errorf("writing the overlay: %w", err)
	}
	return list, remove, nil
}

// unhurried are packages whose functions need not be inlined: they wait for the network, or run when something fails.
var unhurried = []string{
	"github.com/aws/...", "github.com/cockroachdb/errors/...", "github.com/getsentry/...", "github.com/gogo/...", "github.com/prometheus/...",
	"github.com/spf13/...", "google.golang.org/...", "crypto/x509/...", "encoding/asn1", "encoding/xml", "html/template/...", "mime/...", "net/http/...",
	"text/template/...", "github.com/cockroachdb/logtags", "github.com/cockroachdb/redact/...", "github.com/cockroachdb/pebble/v2/objstorage/...", "math/big", "vendor/...",
	"github.com/skystash/skystash/pkg/redis/browse/...", "github.com/skystash/skystash/pkg/kafka/objects/...", "github.com/RaduBerinde/...", "github.com/golang/...", "github.com/kr/...", "github.com/robfig/...", "golang.org/x/net/...",
	"github.com/skystash/skystash/functions/...", "github.com/skystash/skystash/pkg/console/...", "github.com/skystash/skystash/pkg/control/...",
	"github.com/skystash/skystash/pkg/meter/...", "github.com/skystash/skystash/pkg/qstash/...", "github.com/skystash/skystash/pkg/redis/transfer/...", "github.com/skystash/skystash/pkg/redis/internal/rdb", "github.com/skystash/skystash/scripts/admin/...", "github.com/skystash/skystash/scripts/skystash/...",
}

// build compiles the program for a platform: static, without symbols and paths of this machine.
func (r *release) build(ctx context.Context, p platform, overlayFile, modFile string) error {
	// Without HTTP/2, which nothing here depends on: QStash delivers, and clients of AWS call, by HTTP/1.1 then.
	args := []string{"build", "-trimpath", "-buildvcs=false", "-tags", "nethttpomithttp2", "-overlay", overlayFile, "-modfile", modFile, "-o", r.binary(p),
		"-ldflags", "-s -w -buildid= -X main.version=" + r.version}
	for _, pattern := range unhurried {
		args = append(args, "-gcflags", pattern+"=-l")
	}
	if p.os == "windows" { // it has no time zones, which schedules are in
		args = append(args, "-tags", "nethttpomithttp2,timetzdata")
	}
	if err := r.command(ctx, []string{"CGO_ENABLED=0", "GOOS=" + p.os, "GOARCH=" + p.arch, "GOFLAGS="}, "go", append(args, "./scripts/skystash")...); err != nil {
		return err
	}
	info, err := os.Stat(r.binary(p))
	if err != nil {
		return err
	}
	r.say("%-14s %.1f MB", p, float64(info.Size())/1e6)
	return nil
}

// sbom writes the bill of materials of the module.
func (r *release) sbom(ctx context.Context) error {
	file := filepath.Join(r.out, "sbom.json")
	tool := filepath.Join(r.out, "bin", "cyclonedx-gomod")
	defer os.Remove(tool)
	if err := r.command(ctx, nil, "go", "build", "-C", "scripts/tools", "-o", tool, "github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod"); err != nil {
		return err
	}
	if err := r.command(ctx, nil, tool, "mod", "-json", "-licenses", "-output", file); err != nil {
		return err
	}
	r.files = append(r.files, "sbom.json")
	return nil
}
