"""Configuration of Sphinx: ``tox -e docs`` builds the site, with warnings as errors."""

import os
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent), str(HERE / "extensions")]
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from blocking_request import __version__

project = "blocking_request"
author = "The blocking_request authors"
copyright = "the blocking_request authors"
version = release = __version__

extensions = ["sphinx.ext.autodoc", "public_api", "layer_picture", "command_line", "command_manual"]
exclude_patterns = ["_build"]
highlight_language = "python3"
default_role = None

html_theme = "furo"
html_title = f"blocking_request {release}"
html_show_sphinx = False
html_copy_source = False
html_static_path = ["_static"]
html_css_files = ["tables.css"]

autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
autodoc_class_signature = "mixed"
python_use_unqualified_type_names = True
python_display_short_literal_types = True
maximum_signature_line_length = 100
