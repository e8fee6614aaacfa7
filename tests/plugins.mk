# Plug-ins to be loaded by tests, built as a user builds one: with the installed header alone.
BROKEN  := abi abi1 bytes stride nameless comma escape neither both option nowhere choices endless \
  exempt data unavailable speechless undefined crashes exits hangs function small null \
  probe_crashes probe_exits probe_hangs limit_crashes
PLUGINS := $(patsubst %,$(BUILD)/tests/plugins/%.so,skeleton aio_poll splice nameless grown \
  $(BROKEN:%=broken-%))
PLUGIN_CC = $(CC) -std=gnu17 -D_GNU_SOURCE -O2 $(WARNINGS) -fPIC -shared -I$(@D)/include -o $@
PLUGIN_HEADER := $(BUILD)/tests/plugins/include/mux_backend.h

$(PLUGIN_HEADER): backends/mux_backend.h
	@mkdir -p $(@D); cp $< $@
$(BUILD)/tests/plugins/broken-%.so: tests/plugins/broken.c $(PLUGIN_HEADER)
	$(call quiet,CC,$@)$(PLUGIN_CC) -DBROKEN=$* -DBROKEN_$* $<
$(foreach dir,backends examples tests/plugins,$(eval $$(BUILD)/tests/plugins/%.so: $(dir)/%.c \
  $$(PLUGIN_HEADER); $$(call quiet,CC,$$<)$$(PLUGIN_CC) $$<))

# One of a later minor version, whose structs have all grown.
GROWN := event|poller|option|exemption|backend
$(BUILD)/tests/plugins/grown.so: examples/aio_poll.c $(PLUGIN_HEADER)
	@mkdir -p $(@D)/grown
	@sed -E '/^struct mux_($(GROWN)) \{/,/^\};/s/^\};/uint64_t grown[3];\n};/' $(PLUGIN_HEADER) \
	  >$(@D)/grown/mux_backend.h
	$(call quiet,CC,$@)$(subst $(@D)/include,$(@D)/grown,$(PLUGIN_CC)) $<

# The tests find them next to their own directory.
$(BUILD)/tests/unit/test_registry $(BUILD)/tests/integration/test_plugin: | $(PLUGINS)

ifeq ($(SAN),)
test-programs: servers
TEST_COMMANDS += 'tests/test_install.sh $(BUILD)' 'tests/test_servers.sh $(BUILD)'
endif
