# The house's habits by their names; .ci/run does them all, from scratch.
.PHONY: style types tests docs bench bench-peers bench-report frameworks all

all: style types tests

style:
	ruff format --check .
	ruff check .

types:
	mypy --strict
	pyright

tests:
	pytest

docs:
	pytest README.md docs
	towncrier build --draft --version next

bench:
	@for each in $(filter-out bench/report.py,$(wildcard bench/*.py)); do \
		echo "== $$each"; python "$$each" || exit 1; done

bench-peers:
	pip install -r bench/side_by_side/peers/requirements.txt
	npm install --prefix bench/side_by_side/peers

bench-report:
	python bench/report.py

frameworks: # the newest versions that greenroom takes, in an environment of their own
	uv run --isolated --no-project --with-editable '.[testing,frameworks]' --with sybil pytest tests/integrations
