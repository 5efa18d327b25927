"""Leads links that point out of docs/ to the repository, and refuses those that lead nowhere."""

import pathlib
import re

from mkdocs.exceptions import PluginError

ROOT = pathlib.Path(__file__).resolve().parents[2]
LINK = re.compile(r"\]\(\.\./([^)#\s]+)(#[^)\s]*)?\)")


def on_page_markdown(markdown, page, config, files):
    """Returns the page's Markdown with its links to files of the repository made absolute."""

    def absolute(match):
        path, anchor = match[1], match[2] or ""
        target = ROOT / path
        if not target.exists():
            raise PluginError(f"{page.file.src_path}: ../{path} is not in the repository")
        kind = "tree" if target.is_dir() else "blob"
        return f"]({config.repo_url.rstrip('/')}/{kind}/main/{path}{anchor})"

    return LINK.sub(absolute, markdown)
