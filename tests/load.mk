# What the tests of the load generator need besides: two other implementations of HdrHistogram.
# `make test` installs them; offline those cases are skipped.
ORACLE_PACKAGES := libhdrhistogram-java default-jre-headless

.PHONY: oracles
oracles: setup
	@scripts/setup.sh $(ORACLE_PACKAGES)
	@[ -d tests/oracle/node_modules ] || (cd tests/oracle && npm ci --silent --no-audit --no-fund) \
	  || echo "no hdr-histogram-js: its test will be skipped" >&2

# The load generator's proof of its own accuracy; sanitizers are too slow for it.
ALONE_COMMANDS += $(if $(SAN),,'$(BUILD)/muxbench load --selftest=quick')
