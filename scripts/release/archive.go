package main

import (
	"archive/tar"
	"archive/zip"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// entry is a file in an archive.
type entry struct {
	name string
	data []byte
	exec bool // it is a program
}

func (e entry) mode() int64 {
	if e.exec {
		return 0o755
	}
	return 0o644
}

// writeTar writes entries as they are given, owned by root, with one date.
func writeTar(w io.Writer, entries []entry, date time.Time) error {
	t := tar.NewWriter(w)
	for _, e := range entries {
		header := &tar.Header{Name: e.name, Mode: e.mode(), Size: int64(len(e.data)), ModTime: date, Format: tar.FormatUSTAR}
		if err := t.WriteHeader(header); err != nil {
			return fmt.Errorf("writing %s: %w", e.name, err)
		}
		if _, err := t.Write(e.data); err != nil {
			return fmt.Errorf("writing %s: %w", e.name, err)
		}
	}
	return t.Close()
}

func writeTarGz(w io.Writer, entries []entry, date time.Time) error {
	z, err := gzip.NewWriterLevel(w, gzip.BestCompression)
	if err != nil {
		return err
	}
	return errors.Join(writeTar(z, entries, date), z.Close())
}

func writeZip(w io.Writer, entries []entry, date time.Time) error {
	z := zip.NewWriter(w)
	for _, e := range entries {
		header := &zip.FileHeader{Name: e.name, Method: zip.Deflate, Modified: date}
		header.SetMode(os.FileMode(e.mode())) // #nosec G115 -- it is one of two
		f, err := z.CreateHeader(header)
		if err == nil {
			_, err = f.Write(e.data)
		}
		if err != nil {
			return fmt.Errorf("writing %s: %w", e.name, err)
		}
	}
	return z.Close()
}

// publish writes a file of the release.
func (r *release) publish(name string, write func(io.Writer) error) error {
	path := filepath.Join(r.out, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return err
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	if err := errors.Join(write(f), f.Close()); err != nil {
		return fmt.Errorf("writing %s: %w", name, err)
	}
	r.files = append(r.files, name)
	return nil
}

// archiveName is the archive of a platform.
func (r *release) archiveName(p platform) string {
	name := fmt.Sprintf("skystash_%s_%s_%s", r.version, p.os, p.arch)
	if p.os == "windows" {
		return name + ".zip"
	}
	return name + ".tar.gz"
}

// archives packs each program with its manual page and the shells' completions.
func (r *release) archives(ctx context.Context) error {
	beside, err := r.beside(ctx)
	if err != nil {
		return err
	}
	for _, p := range r.platforms {
		program, err := os.ReadFile(r.binary(p))
		if err != nil {
			return err
		}
		entries := append([]entry{{p.program(), program, true}}, beside...)
		if err := r.publish(r.archiveName(p), func(w io.Writer) error {
			if p.os == "windows" {
				return writeZip(w, entries, r.date)
			}
			return writeTarGz(w, entries, r.date)
		}); err != nil {
			return err
		}
	}
	return nil
}

// beside is what lies beside the program, the same for all platforms.
func (r *release) beside(ctx context.Context) ([]entry, error) {
	var entries []entry
	for _, name := range []string{"LICENSE", "README.md", "CHANGELOG.md"} {
		data, err := os.ReadFile(filepath.Join(r.root, name))
		if err != nil {
			return nil, err
		}
		entries = append(entries, entry{name: name, data: data})
	}
	program := []string{"go", "run", "./scripts/skystash"}
	if slices.Contains(r.platforms, here()) {
		program = []string{r.binary(here())}
	}
	for _, made := range []struct {
		name string
		args []string
	}{
		{"skystash.1", []string{"man"}},
		{"completions/skystash.bash", []string{"completion", "bash"}},
		{"completions/_skystash", []string{"completion", "zsh"}},
		{"completions/skystash.fish", []string{"completion", "fish"}},
		{"completions/skystash.ps1", []string{"completion", "powershell"}},
	} {
		text, err := r.output(ctx, program[0], slices.Concat(program[1:], made.args)...)
		if err != nil {
			return nil, err
		}
		entries = append(entries, entry{name: made.name, data: []byte(text + "\n")})
	}
	return entries, nil
}

// checksums writes the SHA-256 of every file, as sha256sum -c reads it.
func (r *release) checksums(context.Context) error {
	files := slices.Sorted(slices.Values(r.files))
	return r.publish("SHA256SUMS", func(w io.Writer) error {
		for _, name := range files {
			sum, err := r.sum(name)
			if err != nil {
				return err
			}
			if _, err := fmt.Fprintf(w, "%s  %s\n", sum, name); err != nil {
				return err
			}
		}
		return nil
	})
}

// sum is the SHA-256 of a file of the release.
func (r *release) sum(name string) (string, error) {
	f, err := os.Open(filepath.Join(r.out, name))
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// notes writes what CHANGELOG.md says about the version: its own section, or what is unreleased if the version is
// one between two tags.
func (r *release) notes(context.Context) error {
	text, err := os.ReadFile(filepath.Join(r.root, "CHANGELOG.md"))
	if err != nil {
		return err
	}
	section, ok := changes(string(text), r.version)
	if !ok && r.tagged() {
		return fmt.Errorf("CHANGELOG.md has no section %q", "## "+r.version)
	}
	if !ok {
		section, _ = changes(string(text), "Unreleased")
	}
	return r.publish("notes.md", func(w io.Writer) error {
		_, err := io.WriteString(w, section)
		return err
	})
}

// changes is the section of a changelog about a version; a date may follow the version in its title.
func changes(text, version string) (string, bool) {
	for section := range strings.SplitSeq("\n"+text, "\n## ") {
		title, body, _ := strings.Cut(section, "\n")
		if name, _, _ := strings.Cut(title, " "); name == version {
			return strings.TrimSpace(body) + "\n", true
		}
	}
	return "", false
}
