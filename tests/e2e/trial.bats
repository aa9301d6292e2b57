# SPDX-License-Identifier: GPL-2.0-or-later
# test-timeout: 600
# A generation on trial: canary, soak, kept or taken back; by live traffic between two namespaces.

load ../lib/e2e
load ../lib/netns
load ../lib/flows
load ../lib/trial

setup() {
	trial_setup
}

teardown() {
	outage_teardown
}

# nobody_harmed - every packet of the good crowd and of the protected source came through.
nobody_harmed() {
	flows_stop
	echo "$(flows_text); socket lost $(overflows)"
	[ "$(lost_p)" -le "$(overflows)" ] && [ "$(lost_g)" -le "$(overflows)" ]
}

@test "a good policy is tried on a few, then on everybody, and kept" {
	crowd_start
	trial_policy next "$FLOW_B" 203.0.113.99
	run -0 --separate-stderr stanch apply "$DIR/next.yaml"
	[[ "$stderr" == *"canary 1.0 %"*"canary 50.0 %"*"soak"* ]]
	run ! on_trial
	[ "$(audit '[.[-2:][] | .event + " " + .result] | join(", ")')" = "apply trial, apply applied" ]
	[ "$(newest .trial.result)" = kept ]
	[ "$(newest '.trial.traffic.packets | tonumber')" -gt 1000 ]
	nobody_harmed
	[ "$(leaked)" = 0 ]
}

@test "a harmful policy is taken back in its canary, whatever recent traffic said" {
	trial_policy harm "$FLOW_B" 198.18.0.0/25
	apply_behind "$DIR/harm.yaml"
	until_true on_trial
	crowd_start
	apply_end 7
	[ "$(live_word)" = "$KEPT" ]
	[ "$(newest '.event + " " + .result + " " + .trial.result')" = "apply reverted harm" ]
	[[ "$(newest .trial.phase)" == canary* ]]
	stanch -q verify >/dev/null
	flows_stop
	# one of a hundred sources was judged by it
	[ "$(lost_g)" -lt $(($(sent G) / 10)) ]
}

@test "recent traffic alone refuses a harmful policy before anybody is harmed" {
	crowd_start
	sleep 1
	trial_policy harm "$FLOW_B" 198.18.0.0/25
	run -3 --separate-stderr stanch apply "$DIR/harm.yaml"
	[[ "$stderr" == *"newly"* ]]
	[ "$(newest .result)" = refused ]
	[ "$(live_word)" = "$KEPT" ]
	run -3 stanch apply --now "$DIR/harm.yaml"
	nobody_harmed
}

@test "a policy that was taken back is refused for a while, unless that is forced" {
	trial_policy harm "$FLOW_B" 198.18.0.0/25
	apply_behind "$DIR/harm.yaml"
	until_true on_trial
	crowd_start
	apply_end 7
	flows_stop
	run -3 --separate-stderr stanch apply --now "$DIR/harm.yaml"
	[[ "$stderr" == *"taken back"* ]]
	[ "$(newest '.problems[0]')" = gate_quarantine ]
}

@test "what needs a confirmation is taken back without one, by the program itself" {
	trial_policy next "$FLOW_B" 203.0.113.99
	apply_behind --now --confirm 2s "$DIR/next.yaml"
	until_true judges_everybody
	kill -KILL "$APPLY"
	wait "$APPLY" || true
	sleep 2.2
	run -0 --separate-stderr stanch -j explain --src 203.0.113.99
	[ "$(json .generation)" = 1 ]
	run -7 stanch confirm
	trial_policy later "$FLOW_B" 203.0.113.98
	stanch -q apply --now "$DIR/later.yaml"
	stanch -q history --verify >/dev/null
}

@test "confirm keeps it" {
	trial_policy next "$FLOW_B" 203.0.113.99
	apply_behind --now --confirm 20s "$DIR/next.yaml"
	until_true judges_everybody
	run -6 stanch apply --now "$DIR/kept.yaml"
	run -0 stanch confirm
	apply_end 0
	run ! on_trial
	[ "$(stanch -j status | jq -r .live.generation)" = 2 ]
	run -5 stanch confirm
}

@test "nobody confirms: the command says so and exits 7" {
	trial_policy next "$FLOW_B" 203.0.113.99
	run -7 --separate-stderr stanch apply --now --confirm 1s "$DIR/next.yaml"
	[[ "$stderr" == *"not confirmed"* ]]
	[ "$(live_word)" = "$KEPT" ]
}

@test "without traffic there is no evidence, and the policy is taken back" {
	trial_policy next "$FLOW_B" 203.0.113.99
	run -7 --separate-stderr stanch apply "$DIR/next.yaml"
	[[ "$stderr" == *"too little evidence"* ]]
	[ "$(live_word)" = "$KEPT" ]
	# what had too little evidence did no harm: it is not in quarantine
	run -0 stanch apply --now "$DIR/next.yaml"
}

@test "interrupting the command takes the policy back at once" {
	crowd_start
	STEP=20s trial_policy next "$FLOW_B" 203.0.113.99
	apply_behind "$DIR/next.yaml"
	until_true on_trial
	kill -INT "$APPLY"
	apply_end 7
	[ "$(live_word)" = "$KEPT" ]
	[ "$(newest .trial.result)" = interrupted ]
	flows_stop
}

@test "a rollback by somebody else ends a canary, and what is live stays" {
	crowd_start
	STEP=20s trial_policy next "$FLOW_B" 203.0.113.99
	apply_behind "$DIR/next.yaml"
	until_true on_trial
	run -0 stanch rollback
	apply_end 7
	[ "$(live_word)" = "$KEPT" ]
	flows_stop
}

@test "a forced gate puts even --now on a lease" {
	crowd_start
	sleep 1
	trial_policy harm "$FLOW_B" 198.18.0.0/29
	run -7 --separate-stderr stanch apply --now --force newly_dropped --confirm 3s "$DIR/harm.yaml"
	[[ "$stderr" == *"forced"* ]]
	[ "$(live_word)" = "$KEPT" ]
	[ "$(newest .gates.newly_dropped.forced)" = true ]
	flows_stop
}

@test "what a list newly drops can be expected, but not other harm" {
	crowd_start 10000 3
	sleep 1
	trial_policy open 203.0.113.250
	stanch -q apply --now "$DIR/open.yaml"
	sleep 1.5
	trial_policy stop "$FLOW_B" 203.0.113.250
	run -3 stanch apply "$DIR/stop.yaml"
	run -0 --separate-stderr stanch apply --expect bad "$DIR/stop.yaml"
	[ "$(newest '.trial.traffic.expected | tonumber')" -gt 0 ]
	run -3 stanch apply --expect none "$DIR/kept.yaml"
	nobody_harmed
}

@test "an unattended source is on hold after two failures" {
	crowd_start
	sleep 1
	trial_policy harm "$FLOW_B" 198.18.0.0/25
	run -3 stanch apply --source feed "$DIR/harm.yaml"
	run -3 --separate-stderr stanch apply --source feed "$DIR/harm.yaml"
	[[ "$stderr" == *"on hold"* ]]
	[[ "$(stanch status)" == *"SOURCE ON HOLD: feed"* ]]
	trial_policy next "$FLOW_B" 203.0.113.99
	run -3 --separate-stderr stanch apply --now --source feed "$DIR/next.yaml"
	[[ "$stderr" == *"stanch release feed"* ]]
	run -0 stanch apply --now "$DIR/next.yaml"
	run -0 stanch release feed
	[[ "$(stanch status)" != *"ON HOLD"* ]]
	flows_stop
}

@test "plan says all of it and changes nothing" {
	local before
	crowd_start
	sleep 1
	before=$(standing)
	trial_policy harm "$FLOW_B" 198.18.0.0/25
	run -3 --separate-stderr stanch plan "$DIR/harm.yaml"
	[[ "$output" == *"newly_dropped"*"REFUSES"* ]]
	trial_policy next "$FLOW_B" 203.0.113.99
	run -10 stanch plan --exit-code "$DIR/next.yaml"
	run -0 --separate-stderr stanch -j plan "$DIR/next.yaml"
	[ "$(json '.schema + " " + .result')" = "stanch.plan/1 applied" ]
	[ "$(json '.traffic.packets | tonumber')" -gt 100 ]
	run -0 stanch plan --exit-code "$DIR/kept.yaml"
	flows_stop
	[ "$(standing)" = "$before" ] || { diff <(echo "$before") <(standing); false; }
}

@test "with nothing attached a policy is live at once" {
	stanch -q --netns "$SERVER" detach eth0
	trial_policy next "$FLOW_B" 203.0.113.99
	run -0 --separate-stderr stanch apply "$DIR/next.yaml"
	[[ "$stderr" == *"nothing is attached"* ]]
	run ! on_trial
}
