"""Replaces the committed files."""

from __future__ import annotations

from harness.files.atomic import write_output
from harness.models import catalog
from harness.tasks import mteb_benchmarks, mteb_metadata
from tests.generators import model_catalog_file, mteb_benchmarks_file, mteb_tasks_file

if __name__ == "__main__":
    write_output(mteb_metadata.FILE, mteb_tasks_file.text())
    write_output(mteb_benchmarks.FILE, mteb_benchmarks_file.text())
    write_output(catalog.CATALOG_FILE, model_catalog_file.text())
