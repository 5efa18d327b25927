package main

import (
	"context"
	"embed"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
)

// npmFiles are the files of the package skystash, which has the program of no platform.
//
//go:embed npm/package.json npm/README.md npm/index.js npm/index.d.ts npm/bin/skystash.js
var npmFiles embed.FS

// npmWords are what npm calls operating systems and processors.
var npmWords = map[string]string{"linux": "linux", "darwin": "darwin", "windows": "win32", "amd64": "x64", "arm64": "arm64"}

// npmName is the package with the program of a platform.
func npmName(p platform) string { return "skystash-" + npmWords[p.os] + "-" + npmWords[p.arch] }

// npm writes a package for each platform, and the package that has them all as optional dependencies, of which npm installs
// the one that fits.
func (r *release) npm(context.Context) error {
	license, err := os.ReadFile(path.Join(r.root, "LICENSE"))
	if err != nil {
		return err
	}
	for _, p := range r.platforms {
		program, err := os.ReadFile(r.binary(p))
		if err != nil {
			return err
		}
		manifest, err := json.MarshalIndent(map[string]any{
			"name": npmName(p), "version": r.version, "license": "Apache-2.0",
			"description": fmt.Sprintf("The program of skystash for %s. Install skystash instead.", p),
			"repository":  "github:skystash/skystash",
			"os":          []string{npmWords[p.os]}, "cpu": []string{npmWords[p.arch]},
			"files": []string{p.program()}, "preferUnplugged": true,
		}, "", "  ")
		if err != nil {
			return err
		}
		entries := []entry{
			{"package/package.json", append(manifest, '\n'), false},
			{"package/" + p.program(), program, true},
			{"package/LICENSE", license, false},
		}
		if err := r.publishNpm(npmName(p), entries); err != nil {
			return err
		}
	}
	return r.npmMain(license)
}

// npmMain writes the package that people install.
func (r *release) npmMain(license []byte) error {
	var manifest map[string]any
	text, err := npmFiles.ReadFile("npm/package.json")
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, &manifest); err != nil {
		return fmt.Errorf("npm/package.json: %w", err)
	}
	optional := map[string]string{}
	for _, p := range r.platforms {
		optional[npmName(p)] = r.version
	}
	manifest["version"], manifest["optionalDependencies"] = r.version, optional
	if text, err = json.MarshalIndent(manifest, "", "  "); err != nil {
		return err
	}
	entries := []entry{{"package/package.json", append(text, '\n'), false}, {"package/LICENSE", license, false}}
	for _, name := range []string{"README.md", "index.js", "index.d.ts", "bin/skystash.js"} {
		data, err := npmFiles.ReadFile("npm/" + name)
		if err != nil {
			return err
		}
		entries = append(entries, entry{"package/" + name, data, path.Dir(name) == "bin"})
	}
	return r.publishNpm("skystash", entries)
}

func (r *release) publishNpm(name string, entries []entry) error {
	return r.publish(fmt.Sprintf("npm/%s-%s.tgz", name, r.version), func(w io.Writer) error {
		return writeTarGz(w, slices.Clip(entries), r.date)
	})
}
