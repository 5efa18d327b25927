package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
)

// downloads is where the archives of a version are, once they are published.
const downloads = "https://github.com/skystash/skystash/releases/download/v"

// formula writes what Homebrew installs from, if all its platforms are there.
func (r *release) formula(context.Context) error {
	var on strings.Builder
	for _, system := range []struct{ block, os string }{{"on_macos", "darwin"}, {"on_linux", "linux"}} {
		fmt.Fprintf(&on, "  %s do\n", system.block)
		for _, processor := range []struct{ block, arch string }{{"on_arm", "arm64"}, {"on_intel", "amd64"}} {
			p := platform{system.os, processor.arch}
			if !slices.Contains(r.platforms, p) {
				r.say("no formula for Homebrew: it needs %s", p)
				return nil
			}
			sum, err := r.sum(r.archiveName(p))
			if err != nil {
				return err
			}
			fmt.Fprintf(&on, "    %s do\n      url \"%s%s/%s\"\n      sha256 \"%s\"\n    end\n", processor.block, downloads, r.version, r.archiveName(p), sum)
		}
		on.WriteString("  end\n")
	}
	return r.publish("skystash.rb", func(w io.Writer) error {
		_, err := fmt.Fprintf(w, `class Skystash < Formula
  desc "Redis over REST, Kafka and QStash in your own AWS account, or on this machine"
  homepage "https://github.com/skystash/skystash"
  version "%s"
  license "Apache-2.0"

%s
  def install
    bin.install "skystash"
    man1.install "skystash.1"
    bash_completion.install "completions/skystash.bash" => "skystash"
    zsh_completion.install "completions/_skystash"
    fish_completion.install "completions/skystash.fish"
  end

  test do
    assert_match version.to_s, shell_output("#{bin}/skystash --version")
  end
end
`, r.version, on.String())
		return err
	})
}
