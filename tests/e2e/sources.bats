#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# Policies and list files that are broken, hostile or missing: each gets a message with its place,
# exit code 3, and changes nothing. Needs no kernel.

load ../lib/e2e.bash

setup() { instance_make; }
teardown() { rm -rf "$DIR"; }

# with_list - $DIR/p.yaml, one drop list read from $DIR/list.
with_list() {
	policy p <<-'END'
		version: 1
		lists:
		  - {name: bad, action: drop, file: list}
	END
}

# refused FILE TEXT... - `check FILE` exits 3, says every TEXT, and leaves no trace.
refused() {
	local file=$1 text before
	shift
	before=$(find "$DIR" | sort)
	run --separate-stderr stanch check "$file"
	echo "status $status: $stderr"
	[ "$status" -eq 3 ]
	[ -z "$output" ]
	for text in "$@"; do
		[[ "$stderr" == *"$text"* ]] || { echo "does not say: $text"; return 1; }
	done
	[[ "$stderr" == *"is refused: "* ]]
	[ "$(find "$DIR" | sort)" = "$before" ]
	refused_json "$file"
}

# The same under -j: one document, problems with code and message.
refused_json() {
	run --separate-stderr stanch check -j "$1"
	[ "$status" -eq 3 ]
	[ "$(json .schema)" = stanch.error/1 ]
	[ "$(json '.error.problems | length > 0')" = true ]
	[ "$(json 'all(.error.problems[]; (.code | length > 0) and (.message | length > 0)
		and has("file") and has("line") and has("col")
		and has("limit") and has("actual"))')" = true ]
}

@test "a policy that is not there, a directory, a device and a FIFO are refused" {
	refused "$DIR/none.yaml" "none.yaml: cannot read it: No such file"
	mkdir "$DIR/folder"
	refused "$DIR/folder" "folder: cannot read it: Is a directory"
	refused /dev/null "/dev/null: cannot read it: not a regular file"
	mkfifo "$DIR/fifo"
	refused "$DIR/fifo" "fifo: cannot read it: not a regular file"
}

@test "an unreadable policy and an unreadable list are refused" {
	[ "$(id -u)" = 0 ] || skip "needs root, to become somebody who may not read"
	command -v setpriv >/dev/null || skip "needs setpriv"
	chmod 0755 "$DIR"
	cp "$STANCH" "$DIR/stanch"
	chmod 0755 "$DIR/stanch"
	echo 192.0.2.1 >"$DIR/list"
	with_list
	chmod 0000 "$DIR/list"
	nobody=(setpriv --reuid=65534 --regid=65534 --clear-groups "$DIR/stanch")
	stanch() { timeout 20 "${nobody[@]}" "$@"; }
	refused "$DIR/p.yaml" "p.yaml:3:" "cannot read list: permission denied"
	chmod 0000 "$DIR/p.yaml"
	refused "$DIR/p.yaml" "p.yaml: cannot read it: Permission denied"
}

@test "a list file that is not there, a directory or a device is refused where it is named" {
	with_list
	refused "$DIR/p.yaml" "p.yaml:3:" "cannot read list" "file: list"
	mkdir "$DIR/list"
	refused "$DIR/p.yaml" "p.yaml:3:" "it is a directory"
	rmdir "$DIR/list"
	ln -s /dev/zero "$DIR/list"
	refused "$DIR/p.yaml" "p.yaml:3:" "cannot read list"
}

@test "a list behind a symbolic link is read" {
	with_list
	echo 192.0.2.1 >"$DIR/real"
	ln -s real "$DIR/list"
	run --separate-stderr stanch check "$DIR/p.yaml"
	[ "$status" -eq 0 ]
}

@test "list files are found beside the policy, from wherever the tool is called" {
	with_list
	echo 192.0.2.1 >"$DIR/list"
	cd /
	run --separate-stderr stanch check "$DIR/p.yaml"
	[ "$status" -eq 0 ]
	cd "$DIR"
	run --separate-stderr stanch check p.yaml
	[ "$status" -eq 0 ]
}

@test "a line of 1 GB is refused by its size, at once" {
	with_list
	truncate -s 1G "$DIR/list"
	SECONDS=0
	refused "$DIR/p.yaml" "p.yaml:3:" "cannot read list"
	[ "$SECONDS" -le 10 ]
	truncate -s 1G "$DIR/huge.yaml"
	refused "$DIR/huge.yaml" "longer than a policy (16 MiB) or an image (96 MiB) is"
	truncate -s 20M "$DIR/big.yaml"
	refused "$DIR/big.yaml" "longer than a policy"
}

@test "a list of one long line is refused" {
	with_list
	head -c 30000000 /dev/zero | tr '\0' 1 >"$DIR/list"
	refused "$DIR/p.yaml" "list:1:1:"
}

@test "NUL bytes are refused, in a policy and in a list" {
	printf 'version: 1\nmode: \0enforce\n' | policy p
	refused "$DIR/p.yaml" "p.yaml:2:7:"
	with_list
	printf '192.0.2.1\n192.0.2.\0002\n' >"$DIR/list"
	refused "$DIR/p.yaml" "list:2:9:"
}

@test "bad prefixes are refused with place and reason, all of them at once" {
	with_list
	cat >"$DIR/list" <<-'END'
		192.0.2.0/33
		300.1.2.3
		2001:db8::/129
		192.0.2.1/24
		192.0.02.1
		192.0.2.0/
		fe80::1%eth0
		localhost
	END
	refused "$DIR/p.yaml" "list:1:1: " "at most /32" "list:2:1: " "above 255" "list:3:1:" \
		"at most /128" "list:4:1: " "the prefix is 192.0.2.0/24" "list:5:1:" "list:6:1:" \
		"list:7:1:" "list:8:1:" ": 8 problems"
}

@test "the caret stands under the place" {
	policy p <<-'END'
		version: 1
		mode: fast
	END
	run --separate-stderr stanch check "$DIR/p.yaml"
	[ "$status" -eq 3 ]
	[ "${stderr_lines[1]}" = "    mode: fast" ]
	[ "${stderr_lines[2]}" = "          ^" ]
}

@test "the caret counts characters, not bytes" {
	printf 'version: 1\nlists:\n  - {name: "ü", action: dröp}\n' | policy p
	run --separate-stderr stanch check "$DIR/p.yaml"
	[ "$status" -eq 3 ]
	[[ "$stderr" == *$'\n                            ^'* ]]
}

@test "CRLF line ends and a byte order mark are read" {
	printf '\357\273\277version: 1\r\nlists:\r\n  - {name: bad, action: drop, file: list}\r\n' | policy p
	printf '\357\273\277192.0.2.1\r\n# comment\r\n198.51.100.0/24\r\n' >"$DIR/list"
	run --separate-stderr stanch check -j "$DIR/p.yaml"
	[ "$status" -eq 0 ]
	[ "$(json .counts.prefixes)" = 2 ]
}

@test "repeated keys, unknown keys and keys that are not built are refused" {
	policy p <<-'END'
		version: 1
		mode: enforce
		mode: monitor
		colour: red
		signatures: builtin
	END
	refused "$DIR/p.yaml" "p.yaml:3:1:" "p.yaml:4:1:" "'colour'" "p.yaml:5:1:" "'signatures'" \
		": 3 problems"
}

@test "an empty policy is refused" {
	: | policy p
	refused "$DIR/p.yaml" "p.yaml"
	printf '\n# nothing\n' | policy p
	refused "$DIR/p.yaml" "p.yaml"
}

@test "an empty list is refused unless the policy permits it" {
	with_list
	: >"$DIR/list"
	refused "$DIR/p.yaml" "p.yaml:3:" "allow_empty"
	policy p <<-'END'
		version: 1
		lists:
		  - {name: bad, action: drop, file: list, allow_empty: true}
	END
	run --separate-stderr stanch check "$DIR/p.yaml"
	[ "$status" -eq 0 ]
}

@test "duplicates are refused, and merged and counted when the policy says so" {
	with_list
	{ seq -f '192.0.2.%g' 1 100; echo 192.0.2.7; } >"$DIR/list"
	refused "$DIR/p.yaml" "list:101:1:" "192.0.2.7"
	policy p <<-'END'
		version: 1
		lists:
		  - {name: bad, action: drop, file: list, duplicates: merge}
	END
	run --separate-stderr stanch check -j "$DIR/p.yaml"
	[ "$status" -eq 0 ]
	[[ "$stderr" == *"list 'bad': 1 duplicates merged"* ]]
	[ "$(json .counts.prefixes)" = 100 ]
}

@test "a binary file as policy is refused, and nothing of it reaches the terminal" {
	printf '\033[2J\033]0;owned\007\n' | policy p
	refused "$DIR/p.yaml" "p.yaml:1:1:"
	[[ "$stderr" != *$'\033'* ]]
}

@test "an image with one byte changed, one cut short and one too long are refused" {
	policy p <<<"version: 1"
	stanch -q compile "$DIR/p.yaml" -o "$DIR/good.img" >/dev/null
	size=$(stat -c %s "$DIR/good.img")
	for at in 8 20 "$((size / 2))" "$((size - 1))"; do
		cp "$DIR/good.img" "$DIR/bad.img"
		printf '\377' | dd of="$DIR/bad.img" bs=1 seek="$at" conv=notrunc status=none
		refused "$DIR/bad.img" "bad.img"
	done
	head -c $((size - 64)) "$DIR/good.img" >"$DIR/bad.img"
	refused "$DIR/bad.img" "bad.img"
	head -c 20 "$DIR/good.img" >"$DIR/bad.img"
	refused "$DIR/bad.img" "bad.img"
	{ cat "$DIR/good.img"; head -c 64 /dev/zero; } >"$DIR/bad.img"
	refused "$DIR/bad.img" "bad.img"
}

@test "1,000,001 prefixes are refused with the number and the limit, 1,000,000 are good" {
	with_list
	python3 - "$DIR/list" <<-'END'
		import sys
		with open(sys.argv[1], "w") as file:
		    for i in range(1000000):
		        file.write(f"10.{i >> 16}.{i >> 8 & 255}.{i & 255}\n")
	END
	SECONDS=0
	run --separate-stderr stanch check -j "$DIR/p.yaml"
	[ "$status" -eq 0 ]
	[ "$SECONDS" -le 20 ]
	[ "$(json .counts.prefixes)" = 1000000 ]
	echo 192.0.2.1 >>"$DIR/list"
	refused "$DIR/p.yaml" 1000001 1000000
	[ "$(json '[.error.problems[] | select(.actual == "1000001" and .limit == "1000000")] | length')" = 1 ]
}

@test "4,097 lists are refused with the number and the limit, 4,096 are good" {
	lists() {
		printf 'version: 1\nlists:\n'
		seq "$1" | sed 's/.*/  - {name: l&, action: drop, entries: ["2001:db8::&"]}/'
	}
	lists 4096 | policy p
	run --separate-stderr stanch check -j "$DIR/p.yaml"
	[ "$status" -eq 0 ]
	[ "$(json .counts.lists)" = 4096 ]
	lists 4097 | policy p
	refused "$DIR/p.yaml" 4097 4096
}
