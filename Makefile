.PHONY: check format lint types floors test gallery bench zoo

check: format lint types floors test

format:
	ruff format --check .

lint:
	ruff check .

types:
	mypy

floors:
	lint-imports

test:
	pytest

gallery:
	python tools/gallery.py

bench:
	python benchmarks/run.py

zoo:
	python tests/zoo/fetch.py tests/zoo/zoo.json tests/zoo/cache
	python tests/zoo/survey.py tests/zoo/cache --write docs/zoo.md
