# The house's habits by their names; .ci/run does them all, from scratch.
.PHONY: style types tests docs bench all

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
	@for each in bench/*.py; do echo "== $$each"; python "$$each" || exit 1; done
