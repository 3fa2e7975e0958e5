.PHONY: check format lint types floors test lowest pythons page gallery bench zoo openvino mutation tensorflow tensorflow-lowest \
  tensorflow-2.15

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

lowest:
	python3 -m venv --clear .venv-lowest
	.venv-lowest/bin/pip install --quiet --disable-pip-version-check uv
	.venv-lowest/bin/uv pip install --quiet --python .venv-lowest/bin/python --resolution lowest-direct -e '.[cpu,test]'
	.venv-lowest/bin/python -m pytest

pythons:
	python3 tools/pythons.py

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

tensorflow-lowest:
	python3 -m venv --clear .venv-tensorflow-lowest
	.venv-tensorflow-lowest/bin/pip install --quiet uv
	.venv-tensorflow-lowest/bin/uv pip install --quiet --python .venv-tensorflow-lowest/bin/python \
	  --resolution lowest-direct '.[tf]'
	ONNXVIZ_TF_PYTHON=.venv-tensorflow-lowest/bin/python pytest tests/conversion

tensorflow-2.15:
	python3.11 -m venv .venv-tensorflow-2.15
	.venv-tensorflow-2.15/bin/pip install --quiet tensorflow-cpu==2.15.1 tf2onnx==1.16.1 'numpy<2'
	ONNXVIZ_TF_PYTHON=.venv-tensorflow-2.15/bin/python pytest tests/conversion/test_sources.py
