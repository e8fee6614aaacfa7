# Tests of the report. The quick part joins `make test`; the rest needs chromium and playwright-core
# (make setup-report-tests) and says loudly when they are missing.
TEST_COMMANDS += 'tests/report/run.sh quick'

.PHONY: test-report setup-report-tests
## make test-report         the report in a real browser (needs chromium: make setup-report-tests)
test-report: $(BUILD)/muxbench $(RUN_TESTS)
	@$(TEST_ENV) $(RUN_TESTS) -t 300 'tests/report/run.sh quick' 'tests/report/run.sh browser'

setup-report-tests: setup
	@scripts/setup.sh chromium
	@cd tests/report && npm ci --silent
