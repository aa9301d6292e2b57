# SPDX-License-Identifier: GPL-2.0-or-later
# replay: captures through the program, one line per packet, the same every time.

load ../lib/e2e

GOLDEN=$BATS_TEST_DIRNAME/golden
CAPTURES=$BATS_TEST_DIRNAME/../lib/captures

setup() {
	skip_for "$(kernel_reason)"
	instance_make
	policy eight <<-'END'
		version: 1
		mode: enforce
		lists:
		  - {name: crawlers, action: allow, entries: [203.0.113.8, "2001:db8:bad::8"]}
		  - {name: abusers, action: drop, entries: [203.0.113.0/24, "2001:db8:bad::/48"]}
		  - {name: grey, action: flag, entries: [192.0.2.66, "2001:db8:66::/48"]}
	END
	"$CAPTURES" eight "$DIR/eight.pcap"
}

teardown() {
	instance_remove
}

# same GOLDEN - the output of the last run is the golden file, byte for byte
same() { diff -u "$GOLDEN/$1" <(printf '%s\n' "$output"); }

@test "eight sources: two dropped, one allowed inside a dropped prefix, one flagged, the rest pass" {
	stanch apply --now "$DIR/eight.yaml"
	run -0 --separate-stderr stanch replay -j "$DIR/eight.pcap"
	same eight.jsonl
	[ "$(json -s >/dev/null; jq -rs '[.[0:8][] | .verdict] | join(" ")' <<<"$output")" = \
		"drop drop pass flag pass pass pass pass" ]
}

@test "people get a table and a summary" {
	stanch apply --now "$DIR/eight.yaml"
	run -0 --separate-stderr stanch replay "$DIR/eight.pcap"
	same eight.txt
	[ -z "$stderr" ]
}

@test "with a policy nothing needs to be attached and no generation is named" {
	run -0 --separate-stderr stanch -j replay --policy "$DIR/eight.yaml" "$DIR/eight.pcap"
	diff <(sed 's/"generation":"1"/"generation":null/' "$GOLDEN/eight.jsonl") \
		<(printf '%s\n' "$output")
	[ ! -e "$PINS" ]
	[ ! -e "$STATE" ]
}

@test "the labelled capture, rewritten to the eight, gives the golden lines" {
	source=${STANCH_DATA:-/nonexistent}/pcap/tools-syn-ch.pcap
	[ -r "$source" ] || skip "needs STANCH_DATA with pcap/tools-syn-ch.pcap"
	"$CAPTURES" rewrite "$source" "$DIR/rewritten.pcap"
	stanch apply --now "$DIR/eight.yaml"
	run -0 --separate-stderr stanch replay -j "$DIR/rewritten.pcap"
	same tools-syn-ch.jsonl
	[ "$(wc -l <<<"$output")" = 104 ]
	# by source in turn: two dropped, one allowed, one flagged, four that pass
	[ "$(jq -rs '[.[] | .verdict] | group_by(.) | map("\(.[0]) \(length)") | join(", ")' <<<"$output")" = \
		"drop 26, flag 13, pass 65" ]
}

@test "pcapng, raw IP and Linux cooked captures give the same verdicts" {
	for kind in eight-ng raw sll; do
		"$CAPTURES" $kind "$DIR/$kind.pcap"
		run -0 --separate-stderr stanch -j replay --policy "$DIR/eight.yaml" "$DIR/$kind.pcap"
		diff <(jq -c '[.n, .verdict, .reason, .detail]' "$GOLDEN/eight.jsonl") \
			<(jq -c '[.n, .verdict, .reason, .detail]' <<<"$output")
	done
}

@test "a capture on standard input is read" {
	run -0 --separate-stderr bash -c "'$STANCH' -j replay --policy '$DIR/eight.yaml' - <'$DIR/eight.pcap'"
	[ "$(wc -l <<<"$output")" = 12 ]
}

@test "a monitored verdict is printed, and that it is not enforced" {
	sed 's/enforce/monitor/' "$DIR/eight.yaml" >"$DIR/monitor.yaml"
	run -0 --separate-stderr stanch -j replay --policy "$DIR/monitor.yaml" "$DIR/eight.pcap"
	[ "$(jq -rs '.[0] | "\(.verdict) \(.enforced)"' <<<"$output")" = "drop false" ]
	[ "$(jq -rs '.[2] | "\(.verdict) \(.enforced)"' <<<"$output")" = "pass true" ]
	run -0 --separate-stderr stanch replay --policy "$DIR/monitor.yaml" "$DIR/eight.pcap"
	[[ $output == *"drop?"* ]]
	[[ $output == *"6 of them pass, as nothing is enforced"* ]]
}

@test "a frame that the kernel cannot run is not judged, and counted on" {
	"$CAPTURES" short "$DIR/short.pcap"
	run -0 --separate-stderr stanch -j replay --policy "$DIR/eight.yaml" "$DIR/short.pcap"
	[ "$(jq -c 'select(.n == 5)' <<<"$output")" = \
		'{"schema":"stanch.replay/1","n":5,"verdict":null,"enforced":false,"reason":"not_judged","detail":null,"score":null,"generation":null}' ]
	[ "$(wc -l <<<"$output")" = 13 ]
	[ "$(jq -r 'select(.n == 13) | .verdict' <<<"$output")" = drop ]
}

@test "frames cut behind their headers are judged like whole ones" {
	"$CAPTURES" cut 60 "$DIR/cut.pcap"
	run -0 --separate-stderr stanch -j replay --policy "$DIR/eight.yaml" "$DIR/cut.pcap"
	# only IPv6 and TCP together reach further
	diff <(jq -c 'select(.n < 9 or .n == 12) | [.n, .verdict, .reason]' "$GOLDEN/eight.jsonl") \
		<(jq -c 'select(.n < 9 or .n == 12) | [.n, .verdict, .reason]' <<<"$output")
	[ "$(jq -rs '[.[] | select(.n >= 9 and .n < 12) | .reason] | unique | join(" ")' <<<"$output")" = not_judged ]
}

@test "frames cut inside their headers are not judged, never blamed" {
	for length in 40 30 14; do
		"$CAPTURES" cut $length "$DIR/cut.pcap"
		run -0 --separate-stderr stanch -j replay --policy "$DIR/eight.yaml" "$DIR/cut.pcap"
		[ "$(wc -l <<<"$output")" = 12 ]
		[ "$(jq -rs '[.[] | select(.verdict == "drop" and .reason != "list_drop")] | length' <<<"$output")" = 0 ]
	done
	[ "$(jq -rs '[.[] | .reason] | unique | join(" ")' <<<"$output")" = not_judged ]
}

@test "a capture that ends too early is judged that far and exits 1" {
	"$CAPTURES" broken "$DIR/broken.pcap"
	run -1 --separate-stderr stanch replay --policy "$DIR/eight.yaml" "$DIR/broken.pcap"
	[ "$(grep -c -- '->' <<<"$output")" = 11 ]
	[[ $stderr == *broken.pcap* ]]
}

@test "what is no capture, or of another link type, exits 1 and says why" {
	run -1 --separate-stderr stanch -j replay --policy "$DIR/eight.yaml" "$DIR/eight.yaml"
	[ "$(json .schema)" = stanch.error/1 ]
	run -1 stanch replay --policy "$DIR/eight.yaml" "$DIR/nothing.pcap"
	run -1 stanch replay --policy "$DIR/eight.yaml" "$DIR"
	cp "$DIR/eight.pcap" "$DIR/wifi.pcap"
	printf '\151' | dd of="$DIR/wifi.pcap" bs=1 seek=20 conv=notrunc status=none
	run -1 --separate-stderr stanch replay --policy "$DIR/eight.yaml" "$DIR/wifi.pcap"
	[[ $stderr == *802_11* ]]
}

@test "older generations judge, too" {
	stanch apply --now "$DIR/eight.yaml"
	policy open <<-'END'
		version: 1
		mode: enforce
	END
	stanch apply --now "$DIR/open.yaml"
	run -0 --separate-stderr stanch -j replay --generation 1 "$DIR/eight.pcap"
	same eight.jsonl
	run -0 --separate-stderr stanch -j replay "$DIR/eight.pcap"
	[ "$(jq -rs '[.[] | .verdict] | unique | join(" ")' <<<"$output")" = pass ]
	run -5 stanch replay --generation 9 "$DIR/eight.pcap"
}

@test "live state is not touched" {
	stanch apply --now "$DIR/eight.yaml"
	before=$(everything; bpftool -j map dump pinned "$PINS/counters" | sha256sum)
	stanch -j replay "$DIR/eight.pcap" >/dev/null
	[ "$(everything; bpftool -j map dump pinned "$PINS/counters" | sha256sum)" = "$before" ]
}

@test "a hundred thousand packets take seconds" {
	"$CAPTURES" many 100000 "$DIR/many.pcap"
	stanch apply --now "$DIR/eight.yaml"
	SECONDS=0
	run -0 --separate-stderr bash -c "'$STANCH' -j replay '$DIR/many.pcap' | tail -n 1"
	[ "$(json .n)" = 100000 ]
	[ $SECONDS -lt 30 ]
}

@test "a reader who leaves early ends the replay" {
	"$CAPTURES" many 100000 "$DIR/many.pcap"
	run -0 bash -c "timeout 30 '$STANCH' -j replay --policy '$DIR/eight.yaml' '$DIR/many.pcap' | head -n 1"
}

@test "usage errors exit 2" {
	run -2 stanch replay
	run -2 stanch replay "$DIR/eight.pcap" "$DIR/eight.pcap"
	run -2 stanch replay --generation 1 --policy "$DIR/eight.yaml" "$DIR/eight.pcap"
	run -2 stanch replay --generation one "$DIR/eight.pcap"
}

@test "whatever ends a replay, every line is an object with its schema" {
	"$CAPTURES" broken "$DIR/broken.pcap"
	run -1 --separate-stderr stanch -j replay --policy "$DIR/eight.yaml" "$DIR/broken.pcap"
	[ "${#lines[@]}" = 12 ]
	for line in "${lines[@]}"; do
		jq -e '.schema | startswith("stanch.")' <<<"$line"
	done
	[ "$(tail -1 <<<"$output" | jq -r .schema)" = stanch.error/1 ]
}
