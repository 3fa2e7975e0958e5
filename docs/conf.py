"""The documentation as a site: `make docs`. Pages are Markdown that the forge shows, too; docs/README.md is the index.

The source folder is the repository, so that links between pages mean the same in both places.
"""

import re
import shutil
from pathlib import Path

from docutils import nodes
from sphinx import addnodes

ROOT = Path(__file__).resolve().parent.parent
INDEX = "docs/README"

project = "onnxviz"
author = "The onnxviz authors"
copyright = "The onnxviz authors, Apache-2.0"
extensions = ["myst_parser"]
root_doc = INDEX
include_patterns = ["*.md", "docs/*.md", "docs/**/*.md", "examples/**/*.md", "models/*.md"]
exclude_patterns = [".*", "build", "node_modules"]
myst_heading_anchors = 4
html_theme = "furo"
html_title = "onnxviz"
html_copy_source = False
html_show_sphinx = False


def add_contents(app, document, source):
    """Make the index's headings and links the contents at the side of each page."""
    if document != INDEX:
        return
    _, *parts = re.split(r"^## (.*)$", source[0], flags=re.M)
    source[0] += "\n```{toctree}\n:hidden:\nThe README <../README>\n```\n"
    for title, body in zip(parts[::2], parts[1::2], strict=True):
        pages = "\n".join(re.findall(r"\]\(([^)]+)\.md\)", body))
        source[0] += f"\n```{{toctree}}\n:hidden:\n:caption: {title}\n{pages}\n```\n"


def open_pages(app, doctree, document):
    """Let links to other pages of HTML, such as a report, open them; Sphinx offers them to be saved."""
    for node in list(doctree.findall(addnodes.download_reference)):
        if node["reftarget"].endswith(".html"):
            path = "../" * document.count("/") + "_downloads/" + node["filename"]
            node.replace_self(nodes.reference("", "", *node.children, refuri=path))


def add_front_page(app, exception):
    """Let the site begin with the README."""
    if exception is None and app.builder.name == "html":
        shutil.copy(Path(app.outdir) / "README.html", Path(app.outdir) / "index.html")


def setup(app):
    """Tell Sphinx of the functions above."""
    app.connect("source-read", add_contents)
    app.connect("doctree-resolved", open_pages)
    app.connect("build-finished", add_front_page)
    return {"parallel_read_safe": True}
