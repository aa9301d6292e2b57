# SPDX-License-Identifier: GPL-2.0-or-later
# stanch: one Makefile, output under $(B). `make help` lists the targets.

B        ?= build
CLANG    ?= clang-14
ifeq ($(origin CC),default)
CC       := $(CLANG)
endif
LLVM_STRIP ?= llvm-strip-14
BPFTOOL  ?= $(firstword $(wildcard /usr/sbin/bpftool /usr/bin/bpftool) bpftool)
VERSION  := 0.1.0
PREFIX   ?= /usr

WARN     := -Wall -Wextra -Wstrict-prototypes -Wmissing-prototypes -Wshadow -Wvla -Werror \
	-Wno-unused-function -Wno-unknown-pragmas -Wno-missing-field-initializers
CPPFLAGS = -Iinclude -Iuser -I$(B)/bpf -D_GNU_SOURCE -DSTANCH_VERSION='"$(VERSION)"'
OPT      ?= -O2 -g -fstack-protector-strong -D_FORTIFY_SOURCE=2
CFLAGS   = -std=gnu11 $(OPT) $(WARN) $(SAN_FLAGS)
LDFLAGS  ?= -Wl,-z,relro,-z,now
LIBS     := -lbpf -lelf -lz -lyaml -ljansson -lsodium -lpcap
BPF_CFLAGS := -std=gnu11 -O2 -g -target bpf -mcpu=v3 -Wall -Wextra -Werror -Wno-unused-function \
	-Wno-unused-parameter -Wno-pass-failed -Iinclude -Ibpf -idirafter /usr/include/$(shell uname -m)-linux-gnu

# Builds of another kind have their own output folders: `make SAN=1 ...`, FUZZ=1, COV=1.
SANITISE := -fsanitize=address,undefined -fno-sanitize=alignment -fno-sanitize-recover=all
ifdef SAN
B        := build/san
OPT      := -O1 -g -fno-omit-frame-pointer
SAN_FLAGS := $(SANITISE)
endif
ifdef FUZZ
B        := build/fuzz
OPT      := -O1 -g -fno-omit-frame-pointer
SAN_FLAGS := $(SANITISE) -fsanitize=fuzzer-no-link
FUZZ_LINK := -fsanitize=fuzzer
endif
ifdef COV
B        := build/coverage
OPT      := -O0 -g
SAN_FLAGS := -fprofile-instr-generate -fcoverage-mapping
FUZZ_LINK := -fsanitize=fuzzer
endif

# One short line per file; `make V=1` shows the commands.
Q        := $(if $(V),,@)
say       = @$(if $(V),:,printf '  %-4s %s\n' $(1) $@)

LIB_SRC  := $(wildcard user/base/*.c user/policy/*.c user/dataplane/*.c user/store/*.c)
CMD_SRC  := $(wildcard user/cmd/*.c)
BPF_SRC  := $(wildcard bpf/*.bpf.c)
LIB_OBJ  := $(LIB_SRC:%.c=$(B)/%.o)
CMD_OBJ  := $(CMD_SRC:%.c=$(B)/%.o)
SKEL     := $(BPF_SRC:bpf/%.bpf.c=$(B)/bpf/%.skel.h)
UNIT     := $(patsubst %.c,$(B)/%,$(wildcard tests/unit/*/test_*.c))
BPF_TEST := $(patsubst %.c,$(B)/%,$(wildcard tests/bpf/test_*.c))
# An outage row whose source says `test-slow` near its top is left to `make outage`.
OUTAGE_C := $(patsubst %.c,$(B)/%,$(wildcard tests/outage/test_*.c))
OUTAGE   := $(OUTAGE_C) $(wildcard tests/outage/*.bats)
SLOW     := $(shell grep -ls test-slow tests/outage/test_*.c tests/outage/*.bats)
FAST     := $(filter-out $(SLOW) $(patsubst %.c,$(B)/%,$(SLOW)),$(OUTAGE))
E2E      := $(wildcard tests/e2e/*.bats)
PROGRAMS := $(UNIT) $(BPF_TEST) $(OUTAGE_C)
FUZZERS  := $(patsubst %.c,$(B)/%,$(wildcard tests/fuzz/fuzz_*.c))
SAN_UNIT := $(if $(SAN),,$(UNIT:$(B)/%=build/san/%))
TEST_LIB_SRC := $(wildcard tests/lib/*.c)
TEST_LIB_OBJ := $(TEST_LIB_SRC:%.c=$(B)/%.o)
TOOL_SRC := $(wildcard tools/*.c)
TOOLS    := $(TOOL_SRC:%.c=$(B)/%)
# What tools and tests share: the traffic generator, with a program of its own.
TOOL_LIB := $(B)/libtools.a
TOOL_LIB_OBJ := $(patsubst %.c,$(B)/%.o,$(wildcard tools/lib/*.c))
TOOL_SKEL := $(patsubst %.bpf.c,$(B)/%.skel.h,$(wildcard tools/bpf/*.bpf.c))
TOOL_FLAGS := -Itools/lib -Itools/bpf -I$(B)/tools/bpf
# Variants of the program that do something wrong or slow on purpose.
VARIANTS := $(patsubst %.c,$(B)/%.o,$(wildcard tests/bpf/*.bpf.c))
# Faults on order, preloaded into the tool or from outside, and a program to see them on.
SHIM     := $(patsubst %,$(B)/tests/shim/%,shim.so flip.so clock.so victim kill_at)
# What campaigns and measurements run beside the tool.
PLAYED   := $(patsubst %,$(B)/tests/bench/%,naive observe stall)
# ... and what they need for the comparison with peers.
RIVALRY  := $(PLAYED) $(B)/tests/bench/bare.bpf.o
# Pure code may be tested without the kernel's headers or libbpf.
LIB      := $(B)/libstanch.a

.DEFAULT_GOAL := all
.SECONDARY:
.DELETE_ON_ERROR:

## all: the tool, the programs it loads, and the project's own tools
all: $(B)/stanch $(TOOLS)

$(B)/stanch: $(CMD_OBJ) $(LIB)
	$(call say,CC)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $(CMD_OBJ) $(LIB) $(LIBS)

$(LIB): $(LIB_OBJ)
	$(Q)rm -f $@
	$(call say,AR)
	$(Q)$(AR) rcs $@ $(LIB_OBJ)

$(B)/user/%.o: user/%.c | $(SKEL)
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

$(B)/tests/lib/%.o: tests/lib/%.c | $(SKEL)
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(CC) $(CPPFLAGS) -Itests/lib $(TOOL_FLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

$(B)/tools/lib/%.o: tools/lib/%.c | $(TOOL_SKEL)
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(CC) $(CPPFLAGS) $(TOOL_FLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

$(TOOL_LIB): $(TOOL_LIB_OBJ)
	$(Q)rm -f $@
	$(call say,AR)
	$(Q)$(AR) rcs $@ $(TOOL_LIB_OBJ)

$(PROGRAMS): $(B)/tests/%: tests/%.c $(TEST_LIB_OBJ) $(TOOL_LIB) $(LIB) | $(VARIANTS)
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(CC) $(CPPFLAGS) -Itests/lib $(TOOL_FLAGS) $(CFLAGS) -MMD -MP -MF $@.d -o $@ $< $(TEST_LIB_OBJ) $(TOOL_LIB) $(LIB) -lcmocka $(LIBS)

$(FUZZERS): $(B)/tests/%: tests/%.c $(TEST_LIB_OBJ) $(TOOL_LIB) $(LIB)
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(CC) $(CPPFLAGS) -Itests/lib $(TOOL_FLAGS) $(CFLAGS) $(FUZZ_LINK) -MMD -MP -MF $@.d -o $@ $< $(TEST_LIB_OBJ) $(TOOL_LIB) $(LIB) -lcmocka $(LIBS)

# They define what a fortified header would define too.
$(B)/tests/shim/%.so: tests/shim/%.c
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(CC) -std=gnu11 -O2 -g -D_GNU_SOURCE $(WARN) -fPIC -shared -o $@ $<

$(B)/tests/shim/victim $(B)/tests/shim/kill_at: $(B)/tests/%: tests/%.c
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(CC) -std=gnu11 $(OPT) -D_GNU_SOURCE $(WARN) -o $@ $<

$(TOOLS): $(B)/tools/%: tools/%.c $(TOOL_LIB) $(LIB)
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(CC) $(CPPFLAGS) $(TOOL_FLAGS) $(CFLAGS) -MMD -MP -MF $@.d -o $@ $< $(TOOL_LIB) $(LIB) $(LIBS)

$(B)/%.bpf.o: %.bpf.c
	@mkdir -p $(@D)
	$(call say,BPF)
	$(Q)$(CLANG) $(BPF_CFLAGS) $(BPF_EXTRA) -MMD -MP -MT $@ -MF $(@:.o=.d) -c -o $@ $<

$(B)/%.skel.h: $(B)/%.bpf.o
	$(call say,GEN)
	$(Q)$(BPFTOOL) gen skeleton $< name $(*F)_bpf > $@

-include $(LIB_OBJ:.o=.d) $(CMD_OBJ:.o=.d) $(TEST_LIB_OBJ:.o=.d) $(TOOL_LIB_OBJ:.o=.d) $(VARIANTS:.o=.d) $(PROGRAMS:=.d) $(FUZZERS:=.d) $(TOOLS:=.d)
-include $(BPF_SRC:bpf/%.bpf.c=$(B)/bpf/%.bpf.d) $(TOOL_SKEL:.skel.h=.bpf.d)

# What the tests find in their environment.
export STANCH := $(abspath $(B)/stanch)
export BUILD  := $(abspath $(B))
export LINT_FLAGS := $(CPPFLAGS) -std=gnu11 $(WARN)

## lint: the house rules as programs, see tools/lint; each rule is tested by tests/lint
lint: $(SKEL) $(TOOL_SKEL)
	tests/run tools/lint $(wildcard tests/lint/*.bats)

lint-flags:
	@echo '$(subst ','\'',$(LINT_FLAGS))'

## unit: tests of single functions; no privileges
unit: $(UNIT)
	tests/run $(UNIT)

## bpf: tests that run the program in the kernel (root)
bpf: $(BPF_TEST)
	tests/run $(BPF_TEST)

## e2e: the tool as an operator uses it, on real interfaces (root)
e2e: all $(RIVALRY)
	tests/run $(E2E)

# Rows that are tests of another folder.
ROWS     := $(if $(filter outage,$(MAKECMDGOALS)),$(patsubst %.c,$(B)/%,$(shell tools/outage-table --files)))
## outage: every row of the fault matrix, the slow ones too, and a table of them (root)
outage: all $(SHIM) $(PLAYED) $(OUTAGE_C) $(filter $(B)/%,$(ROWS))
	rm -rf $(B)/outage-logs
	@tests/run --logs $(B)/outage-logs $(OUTAGE) $(ROWS); r=$$?; \
		tools/outage-table $(B)/outage-logs && exit $$r

## san: unit tests under the address and undefined-behaviour sanitisers
san:
	$(MAKE) --no-print-directory SAN=1 unit

## fuzz: every fuzzer for FUZZ_SECONDS=60 from the committed corpus, two at a time
FUZZ_SECONDS ?= 60
fuzz: fuzzers
	FUZZ_SECONDS=$(FUZZ_SECONDS) TEST_TIMEOUT=$$(($(FUZZ_SECONDS) * $(words $(FUZZERS)) + 300)) \
		tests/run tests/fuzz/run

## fuzz-plants: every fuzzer must find the defect planted for it
fuzz-plants: fuzzers
	tests/run tests/fuzz/plants/run

fuzzers:
	$(MAKE) --no-print-directory FUZZ=1 fuzz-programs
fuzz-programs: $(FUZZERS)

## mutants: every check of the validator deleted in turn; a test, and for a gate a row, must go red
mutants: all
	tools/mutants --unit
	tools/mutants --rows --gates

## coverage: lines of policy/ and of the judging headers that unit tests and corpora run
coverage:
	$(MAKE) --no-print-directory COV=1 coverage-programs
	tests/run tests/coverage
coverage-programs: $(UNIT) $(FUZZERS)

## test-vm: the tool on Debian's own kernels under QEMU; VM=6.1 for one of them
test-vm: all $(BPF_TEST)
	tests/run $(if $(VM),$(VM:%=tests/vm/linux-%),$(wildcard tests/vm/linux-*))

## clang-matrix: the programs built by every clang that is installed, loaded, and counted (root)
clang-matrix:
	tests/run tests/bpf/clang-matrix

## check: lint, unit, bpf, e2e, the fast outage rows and the sanitised unit tests (root)
check: all $(SHIM) $(PROGRAMS) $(SAN_UNIT) $(RIVALRY)
	tests/run tools/lint $(wildcard tests/lint/*.bats) $(UNIT) $(SAN_UNIT) $(BPF_TEST) $(E2E) $(FAST)

## test: install what is missing, then check (root)
test:
	tools/install build test lint
	$(MAKE) --no-print-directory -j$$(nproc) check

## demo: people and bots in network namespaces, every promise beside what is seen (root)
demo:
	tools/install build demo
	$(MAKE) --no-print-directory -j$$(nproc) all
	tools/demo

## outage-demo: what happened on 18 November 2025, replayed with people and bots (root)
outage-demo:
	tools/install build demo
	$(MAKE) --no-print-directory -j$$(nproc) all
	tools/outage-demo

## conformance: every row of the packet table, in the kernel and natively, beside xdp-filter (root)
conformance: $(B)/tools/conformance
	$(MAKE) --no-print-directory SAN=1 build/san/tools/conformance
	tools/conformance.sh $(B)

$(PLAYED): $(B)/tests/bench/%: tests/bench/%.c $(TOOL_LIB) $(LIB)
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(CC) $(CPPFLAGS) $(TOOL_FLAGS) $(CFLAGS) -MMD -MP -MF $@.d -o $@ $< $(TOOL_LIB) $(LIB) $(LIBS)
-include $(PLAYED:=.d)

PACKETS  := $(wildcard tests/bench/packets*.c)
PACKETS_OBJ := $(PACKETS:%.c=$(B)/%.o)
$(PACKETS_OBJ): $(B)/tests/bench/%.o: tests/bench/%.c | $(SKEL)
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(CC) $(CPPFLAGS) -Itests/lib $(CFLAGS) -MMD -MP -c -o $@ $<
$(B)/tests/bench/packets: $(PACKETS_OBJ) $(TEST_LIB_OBJ) $(TOOL_LIB) $(LIB)
	$(call say,CC)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $(PACKETS_OBJ) $(TEST_LIB_OBJ) $(TOOL_LIB) $(LIB) -lcmocka $(LIBS)
BENCH_BPF := $(patsubst %.c,$(B)/%.o,$(wildcard tests/bench/*.bpf.c)) $(B)/tests/bpf/no_control.bpf.o
BENCH    := $(B)/tests/bench/packets $(BENCH_BPF)
-include $(PACKETS_OBJ:.o=.d) $(BENCH_BPF:.o=.d)

## bench: nanoseconds per packet by class, list length and sources, beside LPM_TRIE and HASH (root)
bench: $(BENCH)
	tests/bench/run $(B)

## bench-check: what a packet costs against tests/bench/budget; UPDATE=1 renews that (root)
bench-check: all $(BENCH) $(B)/tests/bpf/test_budget
	$(if $(UPDATE),BUDGET_WRITE=1) tests/bench/run --check $(B)

## bench-readme: the results in tests/bench/results as README.md's tables, and as plots
bench-readme:
	tools/install bench
	tests/bench/render tests/bench/results/packets.json bench-packets

## campaign: 300 good policies under floods, 100 bad ones three ways, from a seed; an hour (root)
campaign: all $(PLAYED)
	tests/bench/campaign $(B)

## bench-times: from a bad policy to its refusal, a harmful one to its end, a key press to its effect (root)
bench-times: all $(PLAYED)
	tests/bench/times $(B)

## bench-peers: beside xdp-filter, nftables, ipset and routes, with live frames; 20 minutes (root)
bench-peers:
	tools/install build test bench
	$(MAKE) --no-print-directory -j$$(nproc) all $(RIVALRY)
	tests/bench/peers $(B)

MINUTES  ?= 120
## soak: every verb at random under traffic for MINUTES=120, SEED=N for another order (root)
soak: all
	tests/bench/soak --seconds $$(($(MINUTES) * 60)) $(if $(SEED),--seed $(SEED)) $(B)

MAN_SRC  := $(wildcard man/*.scd)
## man: the manual pages, in $(B)/man
man: $(MAN_SRC:man/%.scd=$(B)/man/%)

$(B)/man/%: man/%.scd
	@mkdir -p $(@D)
	$(call say,MAN)
	$(Q)scdoc < $< > $@

TABLES   := $(wildcard tests/bench/tables*.c)
$(B)/tests/bench/tables: $(TABLES) tests/bench/tables.h include/stanch/table.h $(TEST_LIB_OBJ) $(TOOL_LIB) $(LIB)
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(CC) $(CPPFLAGS) -Itests/lib $(CFLAGS) -o $@ $(TABLES) $(TEST_LIB_OBJ) $(TOOL_LIB) $(LIB) -lcmocka $(LIBS)

$(B)/tests/bench/evidence: tests/bench/evidence.c $(TEST_LIB_OBJ) $(TOOL_LIB) $(LIB)
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(CC) $(CPPFLAGS) -Itests/lib $(CFLAGS) -o $@ $< $(TEST_LIB_OBJ) $(TOOL_LIB) $(LIB) -lcmocka $(LIBS)

## bench-evidence: samples that a trial needs until it says harm
bench-evidence: $(B)/tests/bench/evidence
	$<

## bench-tables: prefix table structures compared on the same prefixes
bench-tables: $(B)/tests/bench/tables
	$<

$(B)/tests/bench/sources: tests/bench/sources.c $(LIB)
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -MF $@.d -o $@ $< $(LIB) $(LIBS) -lm
-include $(B)/tests/bench/sources.d $(B)/tests/bench/sources.bpf.d

## bench-sources: counting by source in stanch's lines, in LRU_HASH and in HASH (root)
bench-sources: $(B)/tests/bench/sources $(B)/tests/bench/sources.bpf.o
	$^ tests/bench/results/sources.json

## install: the tool, its units and its manual pages below DESTDIR
MANDIR   := $(DESTDIR)$(PREFIX)/share/man
UNITDIR  := $(DESTDIR)$(PREFIX)/lib/systemd/system
install: $(B)/stanch
	install -D -m 755 $(B)/stanch $(DESTDIR)$(PREFIX)/sbin/stanch
	install -d $(UNITDIR)
	$(foreach unit,$(wildcard packaging/*.service),sed 's|/usr/sbin|$(PREFIX)/sbin|' \
		$(unit) >$(UNITDIR)/$(notdir $(unit)) &&) true
	$(foreach page,$(wildcard $(B)/man/*),install -D -m 644 $(page) \
		$(MANDIR)/man$(subst .,,$(suffix $(page)))/$(notdir $(page)) &&) true

## hooks: let git check format and layers before each commit; nothing is ever changed by them
hooks:
	git config core.hooksPath tools/hooks

## format: rewrite every C file in the house style
format:
	clang-format-14 -i $$(git ls-files '*.c' '*.h')

## clean: remove everything that was built
clean:
	rm -rf build

## help: this list
help:
	@sed -n 's/^## //p' $(MAKEFILE_LIST) | sort

# The sanitised build is a make of its own: other flags, other folder.
$(SAN_UNIT): san-programs ;
san-programs:
	$(MAKE) --no-print-directory SAN=1 unit-programs
unit-programs: $(UNIT)

.PHONY: all
.PHONY: bench
.PHONY: bench-check
.PHONY: bench-peers
.PHONY: bench-readme
.PHONY: bench-sources
.PHONY: bench-tables
.PHONY: bench-evidence
.PHONY: bench-times
.PHONY: bpf
.PHONY: campaign
.PHONY: check
.PHONY: clang-matrix
.PHONY: clean
.PHONY: conformance
.PHONY: coverage
.PHONY: coverage-programs
.PHONY: e2e
.PHONY: format
.PHONY: fuzz
.PHONY: fuzz-plants
.PHONY: fuzz-programs
.PHONY: fuzzers
.PHONY: help
.PHONY: hooks
.PHONY: install
.PHONY: lint
.PHONY: lint-flags
.PHONY: man
.PHONY: mutants
.PHONY: outage
.PHONY: outage-demo
.PHONY: san
.PHONY: san-programs
.PHONY: soak
.PHONY: test
.PHONY: test-vm
.PHONY: unit
.PHONY: unit-programs
