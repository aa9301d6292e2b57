# SPDX-License-Identifier: GPL-2.0-or-later
# attach and detach: on real veth pairs, beside strangers, again and again.

load ../lib/e2e
load ../lib/netns

setup() {
	skip_for "$(kernel_reason)"
	skip_for "$(netns_reason)"
	instance_make
	netns_make
}

teardown() {
	instance_remove
	netns_remove
}

on_server() { stanch --netns "$SERVER" "$@"; }

@test "attaching without a policy passes everything" {
	run -0 on_server attach eth0
	answers "$GOOD_V4"
	answers "$BAD_V4"
	run -0 --separate-stderr stanch -j explain --src "$BAD_V4"
	[ "$(json '.verdict + " " + .generation')" = "pass 0" ]
}

@test "both programs are attached, native, and only once" {
	run -0 --separate-stderr on_server -j attach eth0
	[ "$(json .schema)" = stanch.attach/1 ]
	[ "$(json '.interfaces[0] | .interface + " " + .result')" = "eth0 attached" ]
	in_server ip -j link show eth0 | jq -e '.[0].xdp.mode == 1'
	run -0 on_server attach eth0
	[[ $output == *"attached already"* ]]
}

@test "a second attach keeps the mode of the first" {
	run -0 on_server attach --mode generic eth0
	in_server ip -j link show eth0 | jq -e '.[0].xdp.mode == 2'
	run -0 on_server attach eth0
	in_server ip -j link show eth0 | jq -e '.[0].xdp.mode == 2'
}

@test "several interfaces are attached by one command" {
	in_server ip link add two type veth peer name owt
	in_server ip link set two up
	run -0 --separate-stderr on_server -j attach eth0 two
	[ "$(json '[.interfaces[].interface] | join(" ")')" = "eth0 two" ]
	in_server ip -j link show two | jq -e '.[0].xdp.mode == 1'
}

@test "an interface that is missing is named and does not stop the others" {
	run -5 --separate-stderr on_server attach nowhere0 eth0
	[[ $stderr == *nowhere0* ]]
	in_server ip -j link show eth0 | jq -e '.[0].xdp'
}

@test "a missing interface alone creates no instance" {
	run -5 --separate-stderr on_server -j attach nowhere0
	[ "$(json '.schema + " " + .error.problems[0].code')" = "stanch.error/1 no_such_interface" ]
	[ ! -e "$PINS" ]
}

@test "a mode that does not exist is a usage error" {
	run -2 on_server attach --mode fast eth0
	run -2 on_server attach
	[ ! -e "$PINS" ]
}

@test "a stranger's program is named and stays" {
	stranger
	before=$(in_server ip -j link show eth0 | jq '.[0].xdp.prog.id')
	run -6 --separate-stderr on_server attach eth0
	[[ $stderr == *eth0* ]]
	[[ $stderr == *stranger* ]]
	[ "$(in_server ip -j link show eth0 | jq '.[0].xdp.prog.id')" = "$before" ]
	run -0 on_server detach eth0
	[ "$(in_server ip -j link show eth0 | jq '.[0].xdp.prog.id')" = "$before" ]
}

@test "a driver without native mode is refused with the way to ask for generic" {
	in_server ip link add plain type bridge 2>/dev/null || skip "needs bridges"
	in_server ip link set plain up
	run -1 --separate-stderr on_server attach plain
	[[ $stderr == *"--mode generic"* ]]
	run -0 on_server attach --mode generic plain
}

@test "detaching what is not there exits 0" {
	run -0 on_server detach eth0
	run -0 on_server detach --all
	on_server attach eth0
	run -0 on_server detach eth0
	run -0 on_server detach eth0
	[[ $output == *"was not attached"* ]]
}

@test "detaching the last interface keeps the state" {
	policy drop <<-END
		version: 1
		mode: enforce
		lists: [{name: bad, action: drop, entries: [$BAD_V4]}]
	END
	on_server attach eth0
	stanch apply --now "$DIR/drop.yaml"
	run ! answers "$BAD_V4"
	before=$(everything | grep -v "^\./\(link\|mark\)-")
	[ "$before" != "$(everything)" ] # the pins of the attachment
	run -0 on_server detach eth0
	answers "$BAD_V4"
	[ "$(everything)" = "$before" ]
	on_server attach eth0
	run ! answers "$BAD_V4"
	answers "$GOOD_V4"
}

@test "detach --all reaches every namespace, --purge removes every pin" {
	on_server attach eth0
	stanch --netns "$CLIENT" attach eth0
	run -0 stanch detach --all
	run ! jq -e '.[0].xdp' <<<"$(in_client ip -j link show eth0)"
	run ! jq -e '.[0].xdp' <<<"$(in_server ip -j link show eth0)"
	[ -e "$PINS/control" ]
	run -0 stanch detach --all --purge
	[ ! -e "$PINS" ]
}

@test "detach without an interface, or with too many words, is a usage error" {
	run -2 on_server detach
	run -2 on_server detach --all eth0
	run -2 on_server detach --purge eth0
}

@test "an interface that was deleted is cleared away and can be attached again" {
	on_server attach eth0
	in_server ip link del eth0
	run -0 stanch detach --all
	ip -n "$CLIENT" link add eth0 type veth peer name eth0 netns "$SERVER"
	run -0 on_server attach eth0
}

@test "attaching is recorded in the audit log" {
	on_server attach eth0
	on_server detach eth0
	[ "$(audit '[.[] | .event + ":" + .result] | join(" ")')" = "attach:done detach:done" ]
}

@test "attaching and detaching say nothing on stderr when all went well" {
	for words in "attach eth0" "attach eth0" "detach eth0" "attach --mode generic eth0" \
		"detach --all"; do
		# shellcheck disable=SC2086 # words are meant to split
		run -0 --separate-stderr on_server $words
		echo "$words: $stderr"
		[ -z "$stderr" ]
	done
}

@test "programs come off with the state on disk broken" {
	on_server attach eth0
	mv "$STANCH_STATE_DIR" "$DIR/away"
	echo "in the way" >"$STANCH_STATE_DIR"
	run -0 --separate-stderr on_server detach eth0
	[[ $stderr == *"$STATE: Not a directory"* ]]
	run ! jq -e '.[0].xdp' <<<"$(in_server ip -j link show eth0)"
	run -0 stanch detach --all --purge
	[ ! -e "$PINS" ]
	run -1 on_server attach eth0
	run ! jq -e '.[0].xdp' <<<"$(in_server ip -j link show eth0)"
}

@test "an incomplete instance says how to get rid of it, and that works" {
	on_server attach eth0
	rm "$PINS/hits"
	for words in "attach eth0" "detach eth0" status "apply $DIR/none.yaml"; do
		# shellcheck disable=SC2086 # words are meant to split
		run -3 --separate-stderr on_server $words
		[[ $stderr == *"stanch --instance default detach --all --purge"* ]]
	done
	run --separate-stderr stanch -j doctor lo
	[[ $(json '.checks[] | select(.subject == "instance").remedy') == \
		*"detach --all --purge"* ]]
	in_server ip -j link show eth0 | jq -e '.[0].xdp'
	run -0 stanch detach --all --purge
	run ! jq -e '.[0].xdp' <<<"$(in_server ip -j link show eth0)"
	run -0 on_server attach eth0
}

@test "what is left of a deleted interface is cleared alone" {
	in_server ip link add two type veth peer name owt
	in_server ip link set two up
	on_server attach eth0 two
	in_server ip link del two
	[[ $(stanch status) == *"INTERFACE GONE"*"stanch detach --gone"* ]]
	run -0 --separate-stderr on_server -j detach --gone
	[ "$(json '[.interfaces[].result] | join(" ")')" = detached ]
	[ "$(stanch -j status | jq '.interfaces | map(.name) | join(" ")')" = '"eth0"' ]
	in_server ip -j link show eth0 | jq -e '.[0].xdp'
	run -0 --separate-stderr on_server -j detach --gone
	[ "$(json '.interfaces | length')" = 0 ]
	run -2 on_server detach --gone eth0
	run -2 on_server detach --gone --all
}
