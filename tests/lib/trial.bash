# SPDX-License-Identifier: GPL-2.0-or-later
# trial.bash - generations on trial, with a crowd of 256 good sources and one bad one. Needs
# e2e.bash, netns.bash and flows.bash.

CROWD=198.18.0.0/24

# trial_setup - an instance with a generation that was kept, attached, nobody sending yet.
trial_setup() {
	outage_setup
	trial_policy kept "$FLOW_B"
	stanch -q --netns "$SERVER" attach eth0
	stanch -q apply --now "$DIR/kept.yaml"
	KEPT=$(live_word)
}

# trial_policy NAME PREFIX... - $DIR/NAME.yaml, one drop list `bad`, tried out within two seconds.
trial_policy() {
	local name=$1
	shift
	policy "$name" <<-END
		version: 1
		mode: enforce
		canary: {steps: [${STEPS:-1%, 50%}], step: ${STEP:-300ms}, soak: ${SOAK:-1s}}
		lists:
		  - {name: bad, action: drop, entries: [$(IFS=,; echo "$*")]}
	END
}

# crowd_start [RATE] [BAD-SHARE] - the crowd, and FLOW_B with so many packets for each of theirs.
crowd_start() {
	nsenter --net="/run/netns/$SERVER" nice -n -10 "$TRAFFIC" receive --port 9 --seconds 280 -j \
		>"$DIR/received" 2>"$DIR/ready" 3>&- &
	RECEIVER=$!
	until_true grep -q ready "$DIR/ready"
	before_flows=$(arrived)
	nsenter --net="/run/netns/$CLIENT" "$TRAFFIC" send --dev eth0 --dst-mac "$MAC" \
		--rate "${1:-10000}" --seconds 280 -j --dst "$SERVER_V4" \
		--flow "P:src=$FLOW_P,share=1" --flow "G:src=$CROWD,share=10" \
		--flow "B:src=$FLOW_B,share=${2:-1}" >"$DIR/sent" 2>"$DIR/sender" 3>&- &
	SENDER=$!
	until_true flowing
}

# newest FILTER - of the last audit record.
newest() { tail -1 "$STATE/audit.jsonl" | jq -r "$1"; }

# word_field NAME - of the control word: live, good, candidate, provisional, share.
word_field() {
	local value=$((16#$(word)))
	case $1 in
	live) echo $((value & 3)) ;;
	good) echo $((value >> 2 & 3)) ;;
	candidate) echo $((value >> 4 & 3)) ;;
	provisional) echo $((value >> 6 & 1)) ;;
	share) echo $((value >> 10 & 1023)) ;;
	esac
}

on_trial() { [ "$(word_field provisional)" = 1 ]; }
judges_everybody() { on_trial && [ "$(word_field share)" = 0 ]; }

# apply_behind [OPTION...] FILE - in the background; its exit code is what `apply_end` returns.
apply_behind() {
	"$STANCH" apply "$@" >"$DIR/apply.out" 2>"$DIR/apply.err" 3>&- &
	APPLY=$!
}
apply_end() {
	local code=0
	wait "$APPLY" || code=$?
	cat "$DIR/apply.out" "$DIR/apply.err"
	[ "$code" = "$1" ] || { echo "exit code $code, not $1"; return 1; }
}

# apply_confirmed [OPTION...] FILE - live at once, and kept by somebody who says so.
apply_confirmed() {
	apply_behind --now "$@"
	until_true judges_everybody || { apply_end 0; return 1; }
	stanch -q confirm
	apply_end 0
}
