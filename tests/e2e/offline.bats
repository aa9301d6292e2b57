#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# check, compile, inspect and diff: everything that needs neither privileges nor a kernel.

load ../lib/e2e.bash

setup() {
	instance_make
	policy p <<-'END'
		version: 1
		mode: enforce
		inner: true
		mark: {mask: 0xff000000, value: 0x5b000000}
		protect: {prefixes: [192.0.2.0/24], ports: [22]}
		lists:
		  - {name: friends, action: allow, file: friends}
		  - {name: abusers, action: drop, entries: [198.51.100.0/24, "2001:db8::/32"]}
		  - {name: grey, action: flag, match: destination, entries: [203.0.113.0/24]}
		  - {name: far, action: score, family: reputation, points: 15, entries: [198.51.100.0/25]}
	END
	printf '198.51.100.7\n' >"$DIR/friends"
	cd "$DIR" || return 1
}
teardown() { rm -rf "$DIR"; }

golden() { diff -u "$ROOT/tests/e2e/golden/$1" -; }

@test "check and inspect work for somebody without any privilege" {
	[ "$(id -u)" = 0 ] || skip "needs root, to become nobody"
	command -v setpriv >/dev/null || skip "needs setpriv"
	chmod -R a+rX "$DIR"
	cp "$STANCH" "$DIR/stanch"
	chmod 0755 "$DIR/stanch"
	for verb in check inspect; do
		run --separate-stderr timeout 20 setpriv --reuid=65534 --regid=65534 --clear-groups \
			--bounding-set=-all --no-new-privs "$DIR/stanch" -j "$verb" "$DIR/p.yaml"
		[ "$status" -eq 0 ]
		[ "$(json .schema)" = "stanch.$verb/1" ]
	done
}

@test "check makes no instance, no state and no file" {
	before=$(find . | sort)
	run --separate-stderr stanch check p.yaml
	[ "$status" -eq 0 ]
	[ "$(find . | sort)" = "$before" ]
}

@test "the same policy gives the same bytes, from wherever it is compiled" {
	stanch -q compile p.yaml -o a.img
	(cd / && stanch -q compile "$DIR/p.yaml" --output "$DIR/b.img")
	stanch compile p.yaml -o - >c.img
	cmp a.img b.img
	cmp a.img c.img
}

@test "an image says the same as its policy" {
	stanch -q compile p.yaml -o a.img
	stanch -j check p.yaml | jq 'del(.file)' >policy.json
	stanch -j check a.img | jq 'del(.file)' >image.json
	diff policy.json image.json
	[ "$(jq .counts.lists image.json)" = 4 ]
}

@test "inspect shows what the policy says" {
	stanch inspect --ranges p.yaml | grep -v ^digest | golden inspect.txt
	stanch -j inspect --ranges p.yaml | jq 'del(.digest, .file, .sections)' | golden inspect.json
}

@test "inspect shows all lists only when asked" {
	{
		printf 'version: 1\nlists:\n'
		for i in $(seq 30); do echo "  - {name: l$i, action: drop, entries: [192.0.2.$i]}"; done
	} | policy many
	run stanch inspect many.yaml
	[[ "$output" == *"10 more lists with --lists"* ]]
	[[ "$output" != *" l30 "* ]]
	run stanch inspect --lists many.yaml
	[[ "$output" != *"more lists"* ]]
	[[ "$output" == *" l30 "* ]]
	[ "$(stanch -j inspect many.yaml | jq '.lists | length')" = 30 ]
}

@test "compile replaces an image and nothing else" {
	stanch -q compile p.yaml -o a.img
	cp p.yaml keep.yaml
	run --separate-stderr stanch compile p.yaml -o p.yaml
	[ "$status" -eq 3 ]
	cmp p.yaml keep.yaml
	sed -i s/enforce/monitor/ p.yaml
	before=$(sha256sum <a.img)
	stanch -q compile p.yaml -o a.img
	[ "$(sha256sum <a.img)" != "$before" ]
	run --separate-stderr stanch compile p.yaml -o /dev/null
	[ "$status" -eq 3 ]
	[ -c /dev/null ]
}

@test "compile of a refused policy leaves the old image" {
	stanch -q compile p.yaml -o a.img
	before=$(sha256sum <a.img)
	echo "mode: fast" >>p.yaml
	run --separate-stderr stanch compile p.yaml -o a.img
	[ "$status" -eq 3 ]
	[ "$(sha256sum <a.img)" = "$before" ]
	[ "$(find . -name '*.new*' | wc -l)" = 0 ]
}

@test "compile keeps a symbolic link and the umask" {
	umask 027
	stanch -q compile p.yaml -o real.img
	ln -s real.img link.img
	stanch -q compile p.yaml -o link.img
	[ -L link.img ]
	[ "$(stat -c %a real.img)" = 640 ]
}

@test "compile that cannot write fails and says where" {
	run --separate-stderr stanch compile p.yaml -o none/a.img
	[ "$status" -eq 1 ]
	[[ "$stderr" == *none/a.img* ]]
	run --separate-stderr stanch compile p.yaml
	[ "$status" -eq 2 ]
	run --separate-stderr stanch -j compile p.yaml -o -
	[ "$status" -eq 2 ]
}

@test "every result is one valid document of its own schema with 64-bit numbers as strings" {
	stanch -q compile p.yaml -o a.img
	for words in "check p.yaml" "inspect a.img" "compile p.yaml -o a.img" "version" "help"; do
		# shellcheck disable=SC2086 # words are meant to split
		run --separate-stderr stanch -j $words
		[ "$status" -eq 0 ]
		[ "$(jq -s length <<<"$output")" = 1 ]
		[ "$(json .schema)" = "stanch.${words%% *}/1" ]
	done
	[ "$(stanch -j check p.yaml | jq -r '.bytes | type')" = string ]
}

@test "-v says more, -q leaves results and errors alone and silences the rest" {
	{ seq -f '192.0.2.%g' 1 100; echo 192.0.2.7; } >friends
	sed -i 's/file: friends/file: friends, duplicates: merge/' p.yaml
	run --separate-stderr stanch -v check p.yaml
	[ "$status" -eq 0 ]
	[[ "$stderr" == *merged* ]]
	[[ "$stderr" == *"p.yaml: "*" bytes read as a policy, image of "*" lines"* ]]
	run --separate-stderr stanch -q check p.yaml
	[ "$status" -eq 0 ]
	[ -n "$output" ]
	[ -z "$stderr" ]
	run --separate-stderr stanch -q check none.yaml
	[ "$status" -eq 3 ]
	[ -n "$stderr" ]
}
