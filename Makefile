.PHONY: check format lint types floors test page gallery bench zoo openvino mutation tensorflow tensorflow-2.15

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

openvino:
	python3 -m venv .venv-openvino
	.venv-openvino/bin/pip install --quiet '.[openvino]'
	.venv-openvino/bin/python tests/compare_devices.py cpu openvino

page:
	cd tests/reporting/page && npm ci --silent --no-fund --no-audit && npm test --silent

mutation:
	pip install --quiet 'mutmut>=3.8,<4'
	mutmut run
	mutmut results

tensorflow:
	python3 -m venv .venv-tensorflow
	.venv-tensorflow/bin/pip install --quiet '.[tf]'
	ONNXVIZ_TF_PYTHON=.venv-tensorflow/bin/python pytest tests/conversion

tensorflow-2.15:
	python3.11 -m venv .venv-tensorflow-2.15
	.venv-tensorflow-2.15/bin/pip install --quiet tensorflow-cpu==2.15.1 tf2onnx==1.16.1 'numpy<2'
	ONNXVIZ_TF_PYTHON=.venv-tensorflow-2.15/bin/python pytest tests/conversion/test_sources.py
