package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"time"
)

// Media types of the OCI image specification, version 1.1.
const (
	typeIndex    = "application/vnd.oci.image.index.v1+json"
	typeManifest = "application/vnd.oci.image.manifest.v1+json"
	typeConfig   = "application/vnd.oci.image.config.v1+json"
	typeLayer    = "application/vnd.oci.image.layer.v1.tar+gzip"
)

// descriptor points to a blob.
type descriptor struct {
	MediaType   string            `json:"mediaType"`
	Digest      string            `json:"digest"`
	Size        int64             `json:"size"`
	Platform    map[string]string `json:"platform,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

// layout is an image in the making: a folder of blobs by their digest, as OCI's image layout has it.
type layout struct{ entries []entry }

func (l *layout) add(mediaType string, data []byte) descriptor {
	d := descriptor{MediaType: mediaType, Digest: digest(data), Size: int64(len(data))}
	l.entries = append(l.entries, entry{name: "blobs/sha256/" + d.Digest[len("sha256:"):], data: data})
	return d
}

func (l *layout) addJSON(mediaType string, value any) (descriptor, error) {
	data, err := json.Marshal(value)
	if err != nil {
		return descriptor{}, err
	}
	return l.add(mediaType, data), nil
}

func digest(data []byte) string {
	sum := sha256.Sum256(data)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// image writes an image for containers, for all of Linux's processors, as one file: docker load, podman load and skopeo read
// it. There is nothing in it but the program, the certificates of the web and the time zones.
func (r *release) image(ctx context.Context) error {
	goroot, err := r.output(ctx, "go", "env", "GOROOT")
	if err != nil {
		return err
	}
	zones, err := os.ReadFile(filepath.Join(goroot, "lib", "time", "zoneinfo.zip"))
	if err != nil {
		return fmt.Errorf("reading the time zones: %w", err)
	}
	roots, err := webRoots()
	if err != nil {
		return err
	}
	var l layout
	var manifests []descriptor
	for _, p := range r.platforms {
		if p.os != "linux" {
			continue
		}
		program, err := os.ReadFile(r.binary(p))
		if err != nil {
			return err
		}
		m, err := l.manifest(p, r.version, r.date, []entry{
			{"usr/local/bin/skystash", program, true},
			{"etc/ssl/certs/ca-certificates.crt", roots, false},
			{"usr/share/zoneinfo.zip", zones, false},
		})
		if err != nil {
			return err
		}
		manifests = append(manifests, m)
	}
	if len(manifests) == 0 {
		return nil
	}
	index, err := l.addJSON(typeIndex, map[string]any{"schemaVersion": 2, "mediaType": typeIndex, "manifests": manifests})
	if err != nil {
		return err
	}
	index.Annotations = map[string]string{
		"org.opencontainers.image.ref.name": r.version, "io.containerd.image.name": "docker.io/library/skystash:" + r.version,
	}
	text, err := json.Marshal(map[string]any{"schemaVersion": 2, "mediaType": typeIndex, "manifests": []descriptor{index}})
	if err != nil {
		return err
	}
	entries := append([]entry{
		{"oci-layout", []byte(`{"imageLayoutVersion":"1.0.0"}`), false},
		{"index.json", text, false},
	}, l.entries...)
	return r.publish(fmt.Sprintf("skystash_%s_image.tar", r.version), func(w io.Writer) error { return writeTar(w, entries, r.date) })
}

// manifest adds the image of one platform.
func (l *layout) manifest(p platform, version string, date time.Time, files []entry) (descriptor, error) {
	var plain, packed bytes.Buffer
	if err := errors.Join(writeTar(&plain, files, date), writeTarGz(&packed, files, date)); err != nil {
		return descriptor{}, err
	}
	config, err := l.addJSON(typeConfig, map[string]any{
		"created": date.Format(time.RFC3339), "os": p.os, "architecture": p.arch,
		"config": map[string]any{
			"Entrypoint":   []string{"/usr/local/bin/skystash"},
			"Cmd":          []string{"dev", "--addr", "0.0.0.0:8000", "--data", "/data", "--quiet"},
			"Env":          []string{"ZONEINFO=/usr/share/zoneinfo.zip"},
			"ExposedPorts": map[string]any{"8000/tcp": map[string]any{}},
			"Volumes":      map[string]any{"/data": map[string]any{}},
			"Labels": map[string]string{
				"org.opencontainers.image.title": "skystash", "org.opencontainers.image.version": version,
				"org.opencontainers.image.source": "https://github.com/skystash/skystash",
			},
		},
		"rootfs": map[string]any{"type": "layers", "diff_ids": []string{digest(plain.Bytes())}},
	})
	if err != nil {
		return descriptor{}, err
	}
	m, err := l.addJSON(typeManifest, map[string]any{
		"schemaVersion": 2, "mediaType": typeManifest, "config": config, "layers": []descriptor{l.add(typeLayer, packed.Bytes())},
	})
	m.Platform = map[string]string{"os": p.os, "architecture": p.arch}
	return m, err
}

// webRoots are the certificates that this machine trusts, for deliveries by HTTPS.
func webRoots() ([]byte, error) {
	for _, file := range []string{"/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"} {
		if roots, err := os.ReadFile(file); err == nil {
			return roots, nil
		}
	}
	return nil, fmt.Errorf("no certificates of the web are found on this %s: install ca-certificates", runtime.GOOS)
}
