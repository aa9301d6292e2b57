# SPDX-License-Identifier: GPL-2.0-or-later
#
# turns - two policies that take turns under load, on the town of town.bash. Each drops one of two
# live bad flows, x and y, and flags the other one by a list, so that every packet is accounted
# for: what came through must have been let in by a list, and the rest must have been dropped.
# The caller has a function `stanch` that runs the tool in the server's namespace, and the programs
# TRAFFIC and TURN.
# shellcheck shell=bash disable=SC2034,SC2154 # shared with the caller and town.bash

TURNS_X=10.77.2.101
TURNS_Y=10.77.2.102

# turns_policies BASE - $TOWN_TMP/x.yaml and y.yaml: the text BASE, which ends in its lists, and two.
turns_policies() {
	printf '%s\n' "$1" \
		"  - {name: drop-x, action: drop, entries: [$TURNS_X]}" \
		"  - {name: pass-y, action: flag, entries: [$TURNS_Y]}" >"$TOWN_TMP/x.yaml"
	printf '%s\n' "$1" \
		"  - {name: drop-y, action: drop, entries: [$TURNS_Y]}" \
		"  - {name: pass-x, action: flag, entries: [$TURNS_X]}" >"$TOWN_TMP/y.yaml"
}

# The bad flows pass until their turn comes: that each list drops something new is expected.
apply() { # POLICY LIST...: quiet, unless it fails
	local code policy=$1

	shift
	stanch -q apply --now "${@/#/--expect=}" "$TOWN_TMP/$policy.yaml" >"$TOWN_TMP/apply" 2>&1 &&
		return
	code=$?
	sed 's/^/      | /' "$TOWN_TMP/apply"
	return "$code"
}

hits() { # LIST: packets that it has decided so far
	stanch -j stats --by list |
		jq -r --arg n "$1" '[.rows[] | select(.name == $n) | .packets][0] // "0"'
}

turns_of() { # FILE FLOW KEY
	jq -r --arg f "$2" --arg k "$3" '[.flows[] | select(.flow == $f) | .[$k]][0] // "0"' "$1"
}

# Both bad flows, 10,000 packets a second each, and a count of what comes through. Policy x is live.
turns_begin() {
	apply x drop-x || return
	town_start server "$TRAFFIC" count --dev "$TOWN-b" --tc --seconds 100 -j \
		>"$TOWN_TMP/through" 2>"$TOWN_TMP/counting"
	turns_count=${town_jobs[-1]}
	town_wait_for ready "$TOWN_TMP/counting" || return
	town_start bots "$TRAFFIC" send --dev "$TOWN-b" --dst-mac "$(town_mac)" --rate 20000 \
		--seconds 90 -j --dst "$TOWN_SERVER_B" --dport 9 --flow "x:src=$TURNS_X" \
		--flow "y:src=$TURNS_Y" >"$TOWN_TMP/sent"
	turns_send=${town_jobs[-1]}
}

# The policies by turns, at most ten times a second. turns_done says how many times.
turns_take() { # SECONDS
	local next wait end

	turns_done=0
	next=$(date +%s%N)
	end=$((next + $1 * 1000000000))
	while [ "$next" -lt "$end" ]; do
		if ((turns_done % 2)); then apply x drop-x; else apply y drop-y; fi || return
		turns_done=$((turns_done + 1))
		next=$((next + 100000000))
		wait=$(date +%s%N)
		if ((next > wait)); then
			sleep "$(printf '0.%09d' $((next - wait)))"
		else
			next=$wait
		fi
	done
}

# The two generations that are there by turns, exactly ten times a second.
turns_swap() { # SECONDS
	in_server timeout -k 1 $(($1 + 20)) "$TURN" $(($1 * 10)) 100
}

turns_end() {
	town_stop_job "$turns_send" INT
	sleep 0.3
	town_stop_job "$turns_count" INT
}

# After turns_end: turns_dropped; turns_leaked, came through and no list had let it in;
# turns_lost, sent and never judged.
turns_sum() { # x|y
	local flow=0 passed sent through

	[ "$1" = x ] || flow=1
	sent=$(turns_of "$TOWN_TMP/sent" "$flow" sent)
	through=$(turns_of "$TOWN_TMP/through" "$flow" packets)
	passed=$(hits "pass-$1")
	turns_dropped=$(hits "drop-$1")
	turns_leaked=$((through - passed))
	turns_lost=$((sent - passed - turns_dropped))
}
