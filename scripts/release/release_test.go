package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"flag"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/skystash/skystash/pkg/meter/price"
)

// all makes the tests look at the releases of all platforms; otherwise only that of this machine is made.
var all = flag.Bool("all", false, "make the releases of all platforms")

// maxProgramBytes bounds the size of a program.
const maxProgramBytes = 35_000_000

// TestRelease makes a release and tries what is in it as those do who get it.
func TestRelease(t *testing.T) {
	out := t.TempDir()
	args := []string{"-out", out, "-version", "1.2.3-test", "-check=false", "-sbom=false"}
	if !*all {
		args = append(args, "-platforms", here().String())
	}
	t.Chdir(filepath.Join("..", ".."))
	var log bytes.Buffer
	if err := run(t.Context(), args, &log); err != nil {
		t.Fatal(err)
	}
	r := &release{out: out, version: "1.2.3-test"}
	t.Run("programs are small", func(t *testing.T) {
		found, err := filepath.Glob(filepath.Join(out, "bin", "*", "skystash*"))
		if err != nil || len(found) == 0 {
			t.Fatalf("programs %v, %v", found, err)
		}
		for _, file := range found {
			if info, err := os.Stat(file); err != nil || info.Size() > maxProgramBytes {
				t.Errorf("%s has %d bytes, %v", file, info.Size(), err)
			}
		}
	})
	t.Run("checksums are right", func(t *testing.T) {
		text, err := os.ReadFile(filepath.Join(out, "SHA256SUMS"))
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(strings.TrimSpace(string(text)), "\n")
		for _, line := range lines {
			want, name, _ := strings.Cut(line, "  ")
			if got, err := r.sum(name); err != nil || got != want {
				t.Errorf("%s: %s, want %s, %v", name, got, want, err)
			}
		}
		if len(lines) < 4 {
			t.Errorf("%d files", len(lines))
		}
	})
	t.Run("the archive has a program that serves, and its console", func(t *testing.T) {
		dir := t.TempDir()
		unpack(t, filepath.Join(out, r.archiveName(here())), dir)
		if page, err := os.ReadFile(filepath.Join(dir, "skystash.1")); err != nil || !bytes.Contains(page, []byte("skystash 1.2.3")) {
			t.Errorf("manual page %.60q, %v", page, err)
		}
		serves(t, filepath.Join(dir, here().program()))
	})
	if runtime.GOOS == "linux" {
		t.Run("the image has the program", func(t *testing.T) { tryImage(t, r) })
	}
	t.Run("npm installs it from the files", func(t *testing.T) { tryNpm(t, r) })
}

// unpack extracts a tar file, compressed or not.
func unpack(t *testing.T, file, dir string) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var in io.Reader = bytes.NewReader(data)
	if bytes.HasPrefix(data, []byte{0x1f, 0x8b}) {
		if in, err = gzip.NewReader(in); err != nil {
			t.Fatal(err)
		}
	}
	for archive := tar.NewReader(in); ; {
		header, err := archive.Next()
		if err == io.EOF {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, filepath.FromSlash(header.Name))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(archive)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, text, os.FileMode(header.Mode)); err != nil { // #nosec G115 -- of a header that we have written
			t.Fatal(err)
		}
	}
}

// serves starts a program as a user does, and looks whether it answers.
func serves(t *testing.T, program string) {
	t.Helper()
	dir := t.TempDir()
	env := filepath.Join(dir, ".env.local")
	cmd := exec.CommandContext(t.Context(), program, "dev", "--addr", "127.0.0.1:0", "--data", filepath.Join(dir, "data"), "--env", env)
	var log bytes.Buffer
	cmd.Stderr = &log
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = cmd.Process.Signal(os.Interrupt)
		if err := cmd.Wait(); err != nil {
			t.Errorf("it ends with %v: %s", err, log.String())
		}
	}()
	screen, vars := readScreen(stdout)
	go io.Copy(io.Discard, stdout)
	if vars["UPSTASH_REDIS_REST_URL"] == "" {
		t.Fatalf("it says\n%s%s", screen, log.String())
	}
	req, err := http.NewRequest(http.MethodPost, vars["UPSTASH_REDIS_REST_URL"], strings.NewReader(`["SET","k","v"]`))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+vars["UPSTASH_REDIS_REST_TOKEN"])
	if status, body := do(t, req); status != http.StatusOK || !strings.Contains(body, "OK") {
		t.Errorf("SET: %d %s", status, body)
	}
	if req, err = http.NewRequest(http.MethodGet, vars["SKYSTASH_CONSOLE_URL"], nil); err != nil {
		t.Fatal(err)
	}
	if status, body := do(t, req); status != http.StatusOK || !strings.Contains(body, "<html") {
		t.Errorf("console: %d %.200s", status, body)
	}
	if text, err := os.ReadFile(env); err != nil || !strings.Contains(string(text), vars["UPSTASH_REDIS_REST_TOKEN"]) {
		t.Errorf("the file of --env has %q, %v", text, err)
	}
}

func do(t *testing.T, req *http.Request) (status int, body string) {
	t.Helper()
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

// readScreen reads the first screen, with the variables in it.
func readScreen(from io.Reader) (screen string, vars map[string]string) {
	vars = map[string]string{}
	var b strings.Builder
	var one [1]byte
	line := ""
	for {
		if n, err := from.Read(one[:]); n == 0 && err != nil {
			return b.String(), vars
		}
		b.WriteByte(one[0])
		if line += string(one[:]); one[0] != '\n' {
			continue
		}
		if name, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok && strings.ToUpper(name) == name {
			vars[name] = value
		}
		if strings.HasPrefix(line, "Ready") {
			return b.String(), vars
		}
		line = ""
	}
}

// tryImage unpacks the image as a container's runtime does, by its index, and runs the program in it.
func tryImage(t *testing.T, r *release) {
	dir, root := t.TempDir(), t.TempDir()
	unpack(t, filepath.Join(r.out, "skystash_"+r.version+"_image.tar"), dir)
	read := func(name string, into any) {
		t.Helper()
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(name, "blobs/") && digest(data) != "sha256:"+filepath.Base(name) {
			t.Errorf("%s has another digest", name)
		}
		if into != nil {
			if err := json.Unmarshal(data, into); err != nil {
				t.Fatal(err)
			}
		}
	}
	blob := func(d descriptor) string { return "blobs/sha256/" + strings.TrimPrefix(d.Digest, "sha256:") }
	var index struct{ Manifests []descriptor }
	read("index.json", &index)
	read(blob(index.Manifests[0]), &index)
	for _, m := range index.Manifests {
		if m.Platform["architecture"] != runtime.GOARCH {
			continue
		}
		var manifest struct {
			Config descriptor
			Layers []descriptor
		}
		read(blob(m), &manifest)
		var config struct {
			Config struct{ Entrypoint []string }
			Rootfs struct {
				DiffIDs []string `json:"diff_ids"`
			}
		}
		read(blob(manifest.Config), &config)
		if len(config.Rootfs.DiffIDs) != len(manifest.Layers) {
			t.Errorf("%d layers, %d digests", len(manifest.Layers), len(config.Rootfs.DiffIDs))
		}
		for _, layer := range manifest.Layers {
			read(blob(layer), nil)
			unpack(t, filepath.Join(dir, blob(layer)), root)
		}
		out, err := exec.CommandContext(t.Context(), filepath.Join(root, config.Config.Entrypoint[0]), "--version").Output()
		if err != nil || !strings.Contains(string(out), r.version) {
			t.Errorf("--version prints %q, %v", out, err)
		}
		return
	}
	t.Errorf("no image for %s", runtime.GOARCH)
}

// tryNpm installs the packages offline, and starts the program by npx and from a test.
func tryNpm(t *testing.T, r *release) {
	dir := t.TempDir()
	node := func(name string, args ...string) string {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), name, args...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "npm_config_cache="+filepath.Join(dir, "cache"), "npm_config_update_notifier=false")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%s", strings.Join(cmd.Args, " "), err, out)
		}
		return string(out)
	}
	if err := os.WriteFile(filepath.Join(dir, "package.json"), []byte(`{"private":true,"type":"module"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	tarball := func(name string) string { return filepath.Join(r.out, "npm", name+"-"+r.version+".tgz") }
	node("npm", "install", "--offline", "--no-audit", "--no-fund", tarball(npmName(here())), tarball("skystash"))
	if out := node("npx", "--offline", "skystash", "--version"); !strings.Contains(out, r.version) {
		t.Errorf("npx skystash --version prints %q", out)
	}
	test := `import { startSkystash } from "skystash";
const server = await startSkystash({ flags: ["--topics", "red"] });
const send = (path, auth, body) => fetch(server.url + path, { headers: { Authorization: auth }, method: body ? "POST" : "GET", body }).then((r) => r.text());
console.log(await send("/", "Bearer " + server.token, '["SET","k","v"]'), await send("/get/k", "Bearer " + server.readOnlyToken));
console.log(await send("/v2/queues", "Bearer " + server.qstash.token));
console.log(await send("/kafka/topics", "Basic " + btoa(server.kafka.username + ":" + server.kafka.password)));
console.log(/^redis:\/\/.*127\.0\.0\.1:\d+$/.test(server.redisUrl), /^127\.0\.0\.1:\d+$/.test(server.kafka.brokers), server.env.QSTASH_TOKEN === server.qstash.token);
await server.stop();
try { process.kill(server.pid, 0); console.log("still there"); } catch { console.log("gone"); }
await startSkystash({ flags: ["--nonsense"] }).catch((error) => console.log(/unknown flag/.test(error.message)));
await startSkystash(); // ends with the process
`
	if err := os.WriteFile(filepath.Join(dir, "test.js"), []byte(test), 0o600); err != nil {
		t.Fatal(err)
	}
	want := `{"result":"OK"} {"result":"v"}` + "\n[]\n" + `{"red":1}` + "\ntrue true true\ngone\ntrue\n"
	if got := strings.ReplaceAll(node("node", "test.js"), "}\n \n", "}\n"); strings.Join(strings.Fields(got), " ") != strings.Join(strings.Fields(want), " ") {
		t.Errorf("the test prints\n%s\nwant\n%s", got, want)
	}
}

func TestChangesOfAVersion(t *testing.T) {
	text := "# Changelog\n\n## Unreleased\n\n- new\n\n## 1.1.0 (2026-01-02)\n\n- b\n- c\n\n## 1.0.0\n\n- a\n"
	for version, want := range map[string]string{"Unreleased": "- new\n", "1.1.0": "- b\n- c\n", "1.0.0": "- a\n"} {
		if got, ok := changes(text, version); !ok || got != want {
			t.Errorf("%s: %q", version, got)
		}
	}
	if got, ok := changes(text, "1.1"); ok {
		t.Errorf("1.1: %q", got)
	}
}

func TestFormulaNamesAllArchives(t *testing.T) {
	r := &release{out: t.TempDir(), version: "1.2.3", platforms: platforms, log: io.Discard, date: time.Unix(0, 0)}
	for _, p := range platforms {
		if err := r.publish(r.archiveName(p), func(w io.Writer) error { _, err := io.WriteString(w, p.String()); return err }); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.formula(t.Context()); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(r.out, "skystash.rb"))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range platforms[:4] {
		sum, err := r.sum(r.archiveName(p))
		if err != nil || !strings.Contains(string(text), r.archiveName(p)+"\"\n      sha256 \""+sum+"\"") {
			t.Errorf("%s is not in\n%s", p, text)
		}
	}
}

func TestPlatformsAreChosen(t *testing.T) {
	if got, err := parsePlatforms("linux/arm64,windows/amd64"); err != nil || len(got) != 2 || got[1].program() != "skystash.exe" {
		t.Errorf("%v, %v", got, err)
	}
	if _, err := parsePlatforms("plan9/amd64"); err == nil {
		t.Error("plan9 has a release")
	}
}

func TestTaggedVersionsNeedPricesOfTheLastHalfYear(t *testing.T) {
	asOf, err := time.Parse("2006-01", price.Prices().AsOf)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		version string
		months  int
		ok      bool
	}{{"1.2.3", 1, true}, {"1.2.3", 6, true}, {"1.2.3", 8, false}, {"1.2.3-4-gabcdef", 8, true}} {
		r := &release{version: tt.version, date: asOf.AddDate(0, tt.months, 0)}
		if err := r.checkPrices(); (err == nil) != tt.ok {
			t.Errorf("%s, %d months after the prices: %v", tt.version, tt.months, err)
		}
	}
}
