"""A report as one HTML page that needs nothing else: no script, no font, no request."""

from __future__ import annotations

from jinja2 import Environment, PackageLoader, StrictUndefined

from seer_bench.report.document import ABSENT, Document


def render(document: Document) -> str:
    """The whole page; every text is escaped by the template engine."""
    environment = Environment(
        loader=PackageLoader("seer_bench.report.writers", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template("page.html").render(document=document, absent=ABSENT, zip=zip)
