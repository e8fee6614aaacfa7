# The examples of results/README.md, on a run directory made for them.
TEST_COMMANDS += 'tests/test_results_examples.sh $(abspath $(BUILD)/muxbench)'
