# Tests. Every tests/unit/test_*.c is one cmocka program linked with the whole tree but main;
# every tests/integration/test_*.c drives build/muxbench as real processes.
TEST_OBJECTS := $(filter-out $(BUILD)/bench/main.o,$(OBJECTS))
UNIT_TESTS   := $(patsubst %.c,$(BUILD)/%,$(sort $(wildcard tests/unit/test_*.c)))

$(UNIT_TESTS): $(BUILD)/%: $(BUILD)/%.o $(TEST_OBJECTS)
	$(call quiet,LINK,$@)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS) -lcmocka
-include $(UNIT_TESTS:=.d)

.PHONY: unit
unit: $(UNIT_TESTS)
	@for test in $(UNIT_TESTS); do timeout 120 $$test || exit 1; done
