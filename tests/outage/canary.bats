# SPDX-License-Identifier: GPL-2.0-or-later
# test-timeout: 900
# Harm that only traffic shows (F13 F15 F16 F44 F51 F78): a crowd of 256 good sources, a protected
# one and a bad one; what is counted is what came through.

load ../lib/e2e
load ../lib/netns
load ../lib/flows
load ../lib/trial

setup() {
	trial_setup
}

teardown() {
	[ -z "${EXTRA:-}" ] || kill -TERM "$EXTRA" 2>/dev/null || true
	[ -z "${LISTENER:-}" ] || kill -TERM "$LISTENER" 2>/dev/null || true
	outage_teardown
}

# standing_still - the kept generation judges as it did, and the log is whole.
standing_still() {
	[ "$(live_word)" = "$KEPT" ] || { echo "the word was $KEPT, is $(live_word)"; return 1; }
	stanch -q verify >/dev/null
	stanch -q history --verify >/dev/null
}

# harmed - good packets that did not come through.
harmed() { echo $(($(lost_g) > $(overflows) ? $(lost_g) - $(overflows) : 0)); }

@test "F13: a source that alternates between good and bad freezes after two failures" {
	local round codes='' words
	crowd_start
	sleep 1
	trial_policy good "$FLOW_B" 203.0.113.99
	trial_policy bad "$FLOW_B" 198.18.0.0/25
	words=$(word)
	for round in bad good bad good bad good; do
		run stanch -q apply --source feed "$DIR/$round.yaml"
		codes="$codes $round:$status"
		[ "$(word)" = "$words" ] || words="$words $(word)"
	done
	flows_stop
	# the first bad one is refused; the second is the second failure; then nobody listens
	[ "$codes" = " bad:3 good:0 bad:3 good:3 bad:3 good:3" ] || { echo "$codes"; false; }
	[ "$(audit '[.[].problems[]? | select(. == "source_held")] | length')" = 3 ]
	[ "$(harmed)" = 0 ]
	seen F13 "codes$codes; good packets lost $(harmed) of $(sent G)"
}

@test "F15: a policy that is wrong for one in a hundred flows is caught while a hundredth is judged" {
	local share
	trial_policy harm "$FLOW_B" 198.18.0.0/31
	STEPS="1%, 50%" STEP=20s trial_policy harm "$FLOW_B" 198.18.0.0/31
	apply_behind "$DIR/harm.yaml"
	until_true on_trial
	crowd_start
	apply_end 7
	standing_still
	flows_stop
	[ "$(newest .trial.phase)" = "canary 1.0 %" ]
	[ "$(newest .trial.result)" = harm ]
	# at most what a hundredth of the sources sent, and of it only what those two sources sent
	share=$(($(sent G) / 100 + 10))
	[ "$(harmed)" -le "$share" ] || { echo "harmed $(harmed) > $share"; false; }
	seen F15 "caught in $(newest .trial.phase) after $(newest .trial.spent_ms) ms; $(harmed) of $(sent G) good packets lost"
}

@test "F16: a flood that starts with a bad policy does not hide it, and is dropped throughout" {
	STEP=20s trial_policy harm "$FLOW_B" 198.18.0.0/29
	apply_behind "$DIR/harm.yaml"
	until_true on_trial
	crowd_start 30000 100
	apply_end 7
	standing_still
	flows_stop
	[ "$(leaked)" = 0 ]
	[ "$(newest .trial.result)" = harm ]
	run -0 stanch history
	[[ "$output" == *reverted* ]]
	seen F16 "taken back after $(newest .trial.spent_ms) ms; flood $(leaked) of $(sent B) let in; $(harmed) of $(sent G) good packets lost"
}

@test "F51: harm that begins after the swap is caught in the soak, and nothing is promoted" {
	local good
	good=$(stanch -j status | jq -r .live.digest)
	STEPS="50%" SOAK=30s trial_policy later "$FLOW_B" 198.18.1.0/25
	crowd_start
	apply_behind "$DIR/later.yaml"
	until_true judges_everybody
	nsenter --net="/run/netns/$CLIENT" "$TRAFFIC" send --dev eth0 --dst-mac "$MAC" --rate 2000 \
		--seconds 100 -j --dst "$SERVER_V4" --flow "N:src=198.18.1.0/24" \
		>"$DIR/more" 2>/dev/null 3>&- &
	EXTRA=$!
	apply_end 7
	kill -TERM "$EXTRA"
	wait "$EXTRA" || true
	EXTRA=
	flows_stop
	standing_still
	[ "$(newest '.trial.phase + " " + .trial.result')" = "soak harm" ]
	# what a restart would find is still the generation that was kept
	[ "$(od -An -v -tx1 "$STATE/good-1" | tr -d ' \n' | grep -c "$good")" = 1 ]
	seen F51 "taken back in the soak after $(newest .trial.spent_ms) ms"
}

@test "F78: a good policy is kept though a genuine attack starts in the same second" {
	trial_policy good "$FLOW_B" 203.0.113.99
	apply_behind "$DIR/good.yaml"
	until_true on_trial
	crowd_start 30000 100
	apply_end 0
	flows_stop
	[ "$(leaked)" = 0 ]
	[ "$(newest .result)" = applied ]
	[ "$(harmed)" = 0 ]
	seen F78 "kept; flood $(leaked) of $(sent B) let in; good packets lost $(harmed) of $(sent G)"
}

@test "F78: an emergency list against an attack in progress is applied when it is expected" {
	trial_policy open 203.0.113.250
	stanch -q apply --now "$DIR/open.yaml"
	crowd_start 20000 50
	sleep 1
	trial_policy stop "$FLOW_B" 203.0.113.250
	run -3 stanch -q apply "$DIR/stop.yaml"
	run -0 stanch apply --expect bad "$DIR/stop.yaml"
	flows_stop
	[ "$(harmed)" = 0 ]
}

@test "F44: a policy that blocks the operator's own login is refused; forced, its lease ends it" {
	in_server python3 -c '
import socket, time
s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(("10.77.0.2", 22)); s.listen(); c, _ = s.accept(); time.sleep(250)' 3>&- &
	LISTENER=$!
	sleep 0.5
	in_client python3 -c '
import socket, time
s = socket.create_connection(("10.77.0.2", 22), 10, ("198.51.100.7", 0)); time.sleep(250)' 3>&- &
	EXTRA=$!
	sleep 0.5
	trial_policy lockout "$FLOW_B" "$GOOD_V4"
	run -3 --separate-stderr stanch apply --now "$DIR/lockout.yaml"
	[[ "$stderr" == *"$GOOD_V4"* ]]
	[ "$(newest '.problems[0]')" = gate_host ]
	standing_still
	apply_behind --now --force host --force newly_dropped --confirm 3s "$DIR/lockout.yaml"
	until_true judges_everybody
	kill -KILL "$APPLY" # the operator is locked out: nobody of ours is left
	run ! answers "$GOOD_V4"
	sleep 3
	answers "$GOOD_V4"
	seen F44 "refused by the host gate; forced, its lease of 3 s ended it with nobody alive"
}

@test "control of F15 and F16: live at once and rolled back by hand, such a policy harms far more" {
	local naive tried
	trial_policy harm "$FLOW_B" 198.18.0.0/26
	stanch -q apply --now "$DIR/harm.yaml" # nobody sends yet, so nothing speaks against it
	crowd_start
	sleep 1
	stanch -q rollback
	flows_stop
	naive=$(harmed)
	STEP=20s trial_policy other "$FLOW_B" 198.18.0.64/26
	crowd_start
	apply_behind --force newly_dropped "$DIR/other.yaml"
	apply_end 7
	flows_stop
	tried=$(harmed)
	echo "naive $naive, tried $tried"
	[ "$(newest .trial.result)" = harm ]
	[ "$naive" -gt 1000 ]
	[ "$naive" -gt $((tried * 10)) ]
	seen F15 "control, live at once and rolled back after a second: $naive good packets lost, on trial $tried"
}
