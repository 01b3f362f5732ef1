"""The report as a folder of pages that needs nothing else: no script, no font, no request, links within it alone."""

from __future__ import annotations

from seer_bench.report.pages.folder import write_pages
from seer_bench.report.pages.gallery import CLIPS, units_to_film
from seer_bench.report.pages.overview import run_pages
from seer_bench.report.pages.site import render

__all__ = ["CLIPS", "render", "run_pages", "units_to_film", "write_pages"]
