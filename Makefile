# SPDX-License-Identifier: GPL-2.0-or-later
# stanch: one Makefile, output under $(B). `make help` lists the targets.

B        ?= build
CLANG    ?= clang-14
CC       := $(CLANG)
LLVM_STRIP ?= llvm-strip-14
BPFTOOL  ?= $(firstword $(wildcard /usr/sbin/bpftool /usr/bin/bpftool) bpftool)
VERSION  := 0.1.0
PREFIX   ?= /usr

WARN     := -Wall -Wextra -Wstrict-prototypes -Wmissing-prototypes -Wshadow -Wvla -Werror
CPPFLAGS := -Iinclude -Iuser -I$(B)/bpf -D_GNU_SOURCE -DSTANCH_VERSION='"$(VERSION)"'
OPT      ?= -O2 -g -fstack-protector-strong -D_FORTIFY_SOURCE=2
CFLAGS   = -std=gnu11 $(OPT) $(WARN) $(SAN_FLAGS) -Wno-unused-function
LIBS     := -lbpf -lelf -lz -lyaml -ljansson -lsodium -lpcap
BPF_CFLAGS := -std=gnu11 -O2 -g -target bpf -mcpu=v3 -Wall -Wextra -Werror -Wno-unused-function \
	-Wno-unused-parameter -Wno-pass-failed -Iinclude -Ibpf -idirafter /usr/include/$(shell uname -m)-linux-gnu

# Sanitised build: `make SAN=1 ...` has its own output folder.
ifdef SAN
B        := build/san
OPT      := -O1 -g -fno-omit-frame-pointer
SAN_FLAGS := -fsanitize=address,undefined -fno-sanitize=alignment -fno-sanitize-recover=all
endif

LIB_SRC  := $(wildcard user/base/*.c user/policy/*.c user/dataplane/*.c user/store/*.c)
CMD_SRC  := $(wildcard user/cmd/*.c)
BPF_SRC  := $(wildcard bpf/*.bpf.c)
LIB_OBJ  := $(LIB_SRC:%.c=$(B)/%.o)
CMD_OBJ  := $(CMD_SRC:%.c=$(B)/%.o)
SKEL     := $(BPF_SRC:bpf/%.bpf.c=$(B)/bpf/%.skel.h)
UNIT_SRC := $(wildcard tests/unit/*/test_*.c tests/bpf/test_*.c)
UNIT     := $(UNIT_SRC:%.c=$(B)/%)
TEST_LIB_SRC := $(wildcard tests/lib/*.c)
TEST_LIB_OBJ := $(TEST_LIB_SRC:%.c=$(B)/%.o)
TOOL_SRC := $(wildcard tools/*.c)
TOOLS    := $(TOOL_SRC:%.c=$(B)/%)
# Pure code may be tested without the kernel's headers or libbpf.
LIB      := $(B)/libstanch.a

.DEFAULT_GOAL := all
.SECONDARY:
.DELETE_ON_ERROR:

## all: the tool, the programs it loads, and the project's own tools
all: $(B)/stanch $(TOOLS)

$(B)/stanch: $(CMD_OBJ) $(LIB)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $(CMD_OBJ) $(LIB) $(LIBS)

$(LIB): $(LIB_OBJ)
	rm -f $@
	$(AR) rcs $@ $(LIB_OBJ)

$(B)/user/%.o: user/%.c | $(SKEL)
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

$(B)/tests/lib/%.o: tests/lib/%.c | $(SKEL)
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) -Itests/lib $(CFLAGS) -MMD -MP -c -o $@ $<

$(B)/tests/unit/% $(B)/tests/bpf/%: tests/%.c
$(UNIT): $(B)/tests/%: tests/%.c $(TEST_LIB_OBJ) $(LIB)
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) -Itests/lib $(CFLAGS) -MMD -MP -MF $@.d -o $@ $< $(TEST_LIB_OBJ) $(LIB) -lcmocka $(LIBS)

$(TOOLS): $(B)/tools/%: tools/%.c $(LIB)
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -MF $@.d -o $@ $< $(LIB) $(LIBS)

$(B)/bpf/%.bpf.o: bpf/%.bpf.c
	@mkdir -p $(@D)
	$(CLANG) $(BPF_CFLAGS) $(BPF_EXTRA) -MMD -MP -MT $@ -MF $(@:.o=.d) -c -o $@ $<

$(B)/bpf/%.skel.h: $(B)/bpf/%.bpf.o
	$(BPFTOOL) gen skeleton $< name $*_bpf > $@

-include $(LIB_OBJ:.o=.d) $(CMD_OBJ:.o=.d) $(TEST_LIB_OBJ:.o=.d) $(UNIT:=.d) $(TOOLS:=.d)
-include $(BPF_SRC:bpf/%.bpf.c=$(B)/bpf/%.bpf.d)

## unit: unit tests of the tool and of the programs (the latter need root)
unit: $(UNIT)
	tests/run $(UNIT)

## clean: remove everything that was built
clean:
	rm -rf build

## help: this list
help:
	@sed -n 's/^## //p' $(MAKEFILE_LIST) | sort

.PHONY: all unit clean help
