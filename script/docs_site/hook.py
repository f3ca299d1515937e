"""MkDocs hook: adds the pages that are made from code and results, and puts the figures into their pages."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from block_reference import block_page
from command_reference import command_page
from mkdocs.structure.files import File, Files
from results_page import results_page

_FIGURE = re.compile(r'<img alt="(?P<alt>[^"]*)" src="(?:\.\./)*figures/(?P<name>[\w-]+)\.svg" ?/?>')


def generated_pages(root: Path) -> dict[str, str]:
    """Markdown of every page that nobody writes by hand, by its path below docs/."""
    weights = root / "models" / "weights"
    cards = sorted(path.parent for path in weights.glob("*/README.md"))
    return {
        "reference/blocks.md": block_page(root / "gr-m4sc" / "grc", root / "python_blocks"),
        "reference/commands.md": command_page(),
        "results.md": results_page(weights / "default", cards),
    }


def inline_figures(html: str, folder: Path) -> str:
    """Replace pictures of ``figures/`` by their SVG, so that lines and letters take the page's colour."""

    def drawing(match: re.Match[str]) -> str:
        svg = (folder / f"{match['name']}.svg").read_text(encoding="utf-8")
        return f'<span role="img" aria-label="{match["alt"]}">{svg}</span>'

    return _FIGURE.sub(drawing, html)


def on_config(config: Any) -> Any:
    """Called by MkDocs with its configuration: a page that the navigation does not name goes to its end."""
    named = str(config.nav)
    docs = Path(config.docs_dir)
    for path in sorted(docs.rglob("*.md")):
        page = path.relative_to(docs).as_posix()
        if f"'{page}'" not in named:
            config.nav.append(page)
    return config


def on_files(files: Files, *, config: Any) -> Files:
    """Called by MkDocs when it has listed the pages."""
    for path, text in generated_pages(Path(config.config_file_path).parent).items():
        files.append(File.generated(config, path, content=text))
    return files


def on_page_content(html: str, *, config: Any, **_: Any) -> str:
    """Called by MkDocs with each finished page."""
    return inline_figures(html, Path(config.docs_dir) / "figures")
