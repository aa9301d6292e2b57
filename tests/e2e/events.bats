# SPDX-License-Identifier: GPL-2.0-or-later
# events: the program's sampled reports, in words.

load ../lib/e2e
load ../lib/netns

setup() {
	skip_for "$(kernel_reason)"
	skip_for "$(netns_reason)"
	instance_make
	netns_make
	policy main <<-END
		version: 1
		mode: enforce
		lists:
		  - {name: abusers, action: drop, entries: [$BAD_V4, "$BAD_V6"]}
		  - {name: grey, action: flag, entries: [$GREY_V4]}
	END
	stanch -q --netns "$SERVER" attach eth0
	stanch -q apply --now "$DIR/main.yaml"
}

teardown() {
	instance_remove
	netns_remove
}

# pings SOURCE... - two packets of each, whatever becomes of them
pings() {
	local source
	for source in "$@"; do
		answers "$source" || true
	done
}

@test "a dropped packet is reported with list, ends and generation" {
	pings "$BAD_V4"
	run -0 --separate-stderr stanch -j events --count 1 --timeout 10
	[ "$(jq -rs '.[0] | [.schema, .verdict, .enforced, .reason, .detail, .src, .dst, .proto, .generation] | map(tostring) | join(" ")' <<<"$output")" = \
		"stanch.events/1 drop true list_drop abusers $BAD_V4 $SERVER_V4 icmp 1" ]
	[ "$(jq -rs '.[-1] | [.end, .shown] | map(tostring) | join(" ")' <<<"$output")" = "true 1" ]
}

@test "people get a line per event and the counts at the end" {
	pings "$BAD_V6"
	run -0 --separate-stderr stanch events --count 2 --timeout 10
	[ "$(wc -l <<<"$output")" = 2 ]
	[[ $output == *"drop"*"list_drop"*"abusers"*"$BAD_V6 -> $SERVER_V6 icmpv6"* ]]
	[[ $stderr == *"2 events shown; 0 more were held back, 0 lost"* ]]
}

@test "events are chosen by verdict and by reason" {
	pings "$BAD_V4" "$GREY_V4" "$GOOD_V4"
	run -0 --separate-stderr stanch -j events --verdict flag --timeout 2
	[ "$(jq -rs '[.[] | select(.end | not) | .detail] | unique | join(" ")' <<<"$output")" = grey ]
	pings "$BAD_V4" "$GREY_V4" "$GOOD_V4"
	run -0 --separate-stderr stanch -j events --reason list_drop --timeout 2
	[ "$(jq -rs '[.[] | select(.end | not) | .detail] | unique | join(" ")' <<<"$output")" = abusers ]
}

@test "ordinary packets make no events and the time ends the wait" {
	stanch events --timeout 1
	pings "$GOOD_V4"
	SECONDS=0
	run -0 --separate-stderr stanch -j events --timeout 1
	[ $SECONDS -lt 5 ]
	[ "$(jq -rs length <<<"$output")" = 1 ]
	[ "$(json .shown)" = 0 ]
}

@test "events are followed while they happen, until a signal" {
	"$STANCH" -j events >"$DIR/lines" 2>/dev/null 3>&- &
	follower=$!
	sleep 0.5
	pings "$BAD_V4" "$GREY_V4"
	for _ in $(seq 50); do
		[ "$(wc -l <"$DIR/lines")" -lt 4 ] || break
		sleep 0.1
	done
	kill -INT $follower
	wait $follower
	[ "$(jq -rs '[.[] | select(.end | not) | .verdict] | join(" ")' "$DIR/lines")" = \
		"drop drop flag flag" ]
	[ "$(jq -rs '.[-1].end' "$DIR/lines")" = true ]
}

@test "a flood is sampled, and what is held back is counted" {
	"$STANCH" -j events --timeout 5 >"$DIR/lines" 2>/dev/null 3>&- &
	follower=$!
	sleep 0.5
	in_client ping -q -l 1000 -c 1000 -w 3 -I "$BAD_V4" "$SERVER_V4" >/dev/null || true
	wait $follower
	shown=$(jq -rs '.[-1].shown | tonumber' "$DIR/lines")
	held=$(jq -rs '.[-1] | (.suppressed | tonumber) + (.lost | tonumber)' "$DIR/lines")
	seen=$(stanch -j stats --by reason | jq -r '.rows[] | select(.name == "list_drop").packets')
	echo "$shown shown, $held held back, $seen seen"
	[ "$shown" -gt 0 ]
	[ "$held" -gt 0 ]
	[ $((shown + held)) = "$seen" ]
}

@test "names are those of the generation that judged" {
	sed 's/abusers/others/' "$DIR/main.yaml" >"$DIR/second.yaml"
	pings "$BAD_V4"
	stanch apply --now "$DIR/second.yaml"
	pings "$BAD_V4"
	run -0 --separate-stderr stanch -j events --count 4 --timeout 10
	[ "$(jq -rs '[.[] | select(.end | not) | .detail + .generation] | join(" ")' <<<"$output")" = \
		"abusers1 abusers1 others2 others2" ]
}

@test "usage errors exit 2, a missing instance 5" {
	run -2 stanch events --verdict maybe
	run -2 stanch events --reason because
	run -2 stanch events --count many
	run -2 stanch events --count 0 --timeout 1
	run -2 stanch events now
	stanch detach --all --purge
	run -5 stanch events --timeout 1
}
