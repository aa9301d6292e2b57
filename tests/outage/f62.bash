# SPDX-License-Identifier: GPL-2.0-or-later
# f62.bash - F62: an apply is killed at its K-th stop, the entry or the exit of a system call. After
# each: what is live is the old generation or the new one, whole; the log says which; the next
# command repairs what was left, and then nothing is left over. All in one instance that goes on.
# The program is one with few lists: reading 4,096 counters one by one is no 8,000 ways to die.

load ../lib/e2e
load ../lib/outage

f62_setup() {
	skip_for "$(kernel_reason)"
	export STANCH_OBJECT=$B/tests/bpf/small.bpf.o
	instance_make
	BEGAN=$(date +%s%N)
	serial=0 killed=0 old=0 new=0 repaired=0
	local _
	for _ in 1 2 3 4 5; do # every slot is in use, as after a while
		next_policy
		stanch -q apply --now "$DIR/next.yaml" >/dev/null
	done
	stanch -q unallow 192.0.2.77 >/dev/null # all folders are there
	standing=$(names)
	stops=$(count_stops)
}

# next_policy - $DIR/next.yaml, which never was live before, and its $digest.
next_policy() {
	serial=$((serial + 1))
	policy next <<-END
		version: 1
		mode: enforce
		lists: [{name: bad, action: drop, entries: [203.$((serial / 250)).$((serial % 250)).0/24]}]
	END
	digest=$(stanch -j inspect "$DIR/next.yaml" | jq -r .digest)
}

count_stops() {
	next_policy
	timeout -k 5 120 "$B/tests/shim/kill_at" --count "$STANCH" -q apply --now "$DIR/next.yaml" | tail -1
}

# live - number and digest of what judges.
live() { stanch -j status | jq -r '.live.generation + " " + .live.digest'; }

# names - every file and pin that does not come and go with generations.
names() {
	(cd "$DIR" && find state run -type f ! -name '*.img' ! -path '*/policies/*' ! -name 'gen-?' |
		sort)
}

# by_log - the generation that the log says is live: of those that it last said were applied, the
# one it said so of last.
by_log() {
	jq -rs '
		[.[] | select(.generation and (.event == "apply" or .event == "rollback" or .event == "repair"))] |
		group_by(.generation) | map(.[-1]) |
		map(select(.result == "applied" or .result == "unchanged" or .result == "kept")) |
		max_by(.seq).generation' "$STATE/audit.jsonl"
}

# judge BEFORE NEW - everything that is wrong after a kill, a sentence each; before was live what
# `live` said then, NEW is the digest that was to be. Counts in $old, $new, $repaired.
judge() {
	local now after said snap
	now=$(live)
	case $now in
	"$1") old=$((old + 1)) ;;
	*" $2") new=$((new + 1)) ;;
	*) echo "neither: $now is live, before $1, wanted $2" ;;
	esac
	stanch -q verify >"$DIR/verify" 2>&1 || { echo "verify:"; cat "$DIR/verify"; }
	chain || echo "the log is broken"
	said=$(stanch -q unallow 192.0.2.77 2>&1 >/dev/null) || echo "the next command fails: $said"
	if grep -q repaired <<<"$said"; then repaired=$((repaired + 1)); fi
	after=$(live)
	[ "$after" = "$now" ] || echo "repairing changed what is live: $now, then $after"
	[ "$(by_log)" = "${after% *}" ] || echo "by the log generation $(by_log) is live, not ${after% *}"
	chain || echo "the log is broken after repairing"
	snap=$(snapshot)
	nothing_published "$snap" "$snap"
	[ "$(jq '[.slots[].generation] | max' <<<"$snap")" = "${after% *}" ] ||
		echo "something newer is left in a slot"
	[ "$(names)" = "$standing" ] || diff <(echo "$standing") <(names)
	[ "$(find "$STATE/images" -type f | wc -l)" -le 24 ] || echo "images pile up"
	said=$(stanch -q unallow 192.0.2.77 2>&1 >/dev/null)
	! grep repaired <<<"$said" || echo "something was left to repair"
}

# kill_apply K - one apply, killed there. What is wrong goes to $DIR/wrong. False: it was over before.
kill_apply() {
	local before code=0 problems
	next_policy
	before=$(live)
	timeout -k 5 120 "$B/tests/shim/kill_at" "$1" "$STANCH" -q apply --now "$DIR/next.yaml" \
		>"$DIR/out" 2>&1 || code=$?
	if [ "$code" = 0 ]; then return 1; fi
	killed=$((killed + 1))
	[ "$code" = 137 ] || echo "stop $1: exit code $code: $(cat "$DIR/out")" >>"$DIR/wrong"
	judge "$before" "$digest" >"$DIR/problems"
	problems=$(cat "$DIR/problems")
	[ -z "$problems" ] || echo "$(grep kill_at "$DIR/out"): $problems" >>"$DIR/wrong"
}

# f62_end - nothing was wrong, and the row means something.
f62_end() {
	local text="$killed kill points: $old old, $new new; $repaired repaired by the next command"
	echo "$text"
	touch "$DIR/wrong"
	head -50 "$DIR/wrong"
	[ ! -s "$DIR/wrong" ]
	[ "$old" -gt 0 ] && [ "$new" -gt 0 ] && [ "$repaired" -gt 0 ]
	echo "# seen F62 $(awk -v ns=$(($(date +%s%N) - BEGAN)) 'BEGIN { printf "%.1f", ns / 1e9 }') s: $text" >&3
}
