# SPDX-License-Identifier: GPL-2.0-or-later
# f08.bash - what the two files of row F08 share: bpf calls of a command refused one by one, and
# what is wrong afterwards.

load ../lib/e2e
load ../lib/shim
load ../lib/outage

setup() {
	skip_for "$(kernel_reason)"
	instance_make
	policy old <<-END
		version: 1
		mode: enforce
		protect: {prefixes: [192.0.2.0/24], ports: [22]}
		lists: [{name: bad, action: drop, entries: [203.0.113.0/24]}]
	END
	policy new <<-END
		version: 1
		mode: enforce
		lists: [{name: other, action: drop, entries: [198.51.100.0/24]}]
	END
	: >"$DIR/wrong"
}

teardown() { instance_remove; }

serve_nothing() {
	stanch -q detach --all --purge >/dev/null 2>&1 || true
	rm -rf "$STATE"
}

# The instance, from nothing, with the old policy live.
serve_old() {
	serve_nothing
	stanch -q apply "$DIR/old.yaml" >/dev/null
}

# positions ROW COMMAND... - number and name of the bpf calls worth refusing: all of them, but of
# more than ROW equal ones in a row (reading counters, running packets) the first and the last.
positions() {
	env LD_PRELOAD="$B/tests/shim/shim.so" SHIM_CALL=bpf SHIM_LOG="$DIR/calls" "${@:2}" >/dev/null
	awk -v row="$1" '
		{ name[NR] = $4 }
		END { for (i = 1; i <= NR; i++) {
			again = name[i] == name[i - 1] || name[i] == name[i - 2]
			more = name[i] == name[i + 1] || name[i] == name[i + 2]
			run = again && more ? run + 1 : 0
			if (run < row)
				print i, name[i]
		} }' "$DIR/calls"
}

# refuse K NAME ERRNO COMMAND... - run it with its K-th bpf call refused; sets $code and $said.
refuse() {
	rm -f "$DIR/calls"
	code=0
	said=$(SHIM_LOG=$DIR/calls shim bpf "$1" "$3" "${@:4}" 2>&1 </dev/null) || code=$?
	[ "$(awk -v k="$1" '$2 == k { print $4 }' "$DIR/calls")" = "$2" ] ||
		echo "call $1 was not $2" >>"$DIR/wrong"
}

# What libbpf asks only to learn what the kernel can: the tool may do without, and a refusal may
# come back as another one.
is_question() {
	case $1 in
	PROG_LOAD | BTF_LOAD | MAP_CREATE | MAP_FREEZE | MAP_UPDATE_ELEM | PROG_BIND_MAP | \
		OBJ_GET_INFO_BY_FD) ;;
	*) return 1 ;;
	esac
}

# How a refusal has to be told; @1 records in the log.
judge_told() {
	local records=$1 name=$2 error=$3 expected=1
	[ "$error" != EPERM ] || expected=4
	[ "$code" = "$expected" ] || { [ "$code" = 1 ] && is_question "$name"; } ||
		echo "exit code $code, not $expected"
	[[ $said == *stanch:* ]] || echo "nothing was said"
	[[ $said != *"rgument list too long"* ]] || echo "the raw text of E2BIG was shown"
	[[ ! $said =~ error\ [0-9]|errno ]] || echo "a bare number was shown"
	[ "$(records)" = "$records" ] || echo "$(records) records, not $records"
	[ "$(last_result)" = failed ] || echo "the record says $(last_result)"
	chain || echo "the chain is broken"
}

# looks - how many calls look for what a killed predecessor left, and open the instance. A
# refusal while looking stops nobody: the old generation serves, and what follows meets it, too.
looks() { shim_count bpf "$STANCH" -q apply "$DIR/none.yaml" || true; }

# A call that the tool did without: then the new generation is there, whole, and judges.
judge_done() {
	# overrides that cannot be put in force are said, and keep no policy out
	[ "$3" -le "$looking" ] || is_question "$2" || [[ $said == *"not in force"* ]] ||
		echo "$2 was needed"
	[ "$(records)" = "$1" ] || echo "$(records) records, not $1"
	[ "$(last_result)" = applied ] || echo "the record says $(last_result)"
	stanch -q verify >/dev/null || echo "the generation is not whole"
	[ "$(stanch -j explain --src 198.51.100.7 | jq -r .verdict)" = drop ] ||
		echo "the new policy does not judge"
}

tell_wrong() {
	[ -z "$5" ] || printf 'call %s %s %s: %s\n%s\n' "$1" "$2" "$3" "$4" "$5" >>"$DIR/wrong"
}

# refuse_over ROW ERRNO... - an apply over the old policy, each of its calls refused with the next
# errno. Problems go to $DIR/wrong; sets $refused and $passed.
refuse_over() {
	local k name error before problems number=0 errors=("${@:2}")
	refused=0 passed=0
	serve_old
	looking=$(looks)
	positions "$1" "$STANCH" -q apply "$DIR/new.yaml" >"$DIR/positions"
	serve_old
	before=$(snapshot)
	while read -r k name; do
		error=${errors[number++ % ${#errors[@]}]}
		refuse "$k" "$name" "$error" "$STANCH" -q apply "$DIR/new.yaml"
		if [ "$code" = 0 ]; then
			problems=$(judge_done 2 "$name" "$k")
			passed=$((passed + 1))
		else
			problems=$(judge_told 2 "$name" "$error"; nothing_published "$before" "$(snapshot)")
			refused=$((refused + 1))
		fi
		tell_wrong "$k" "$name" "$error" "$said" "$problems"
		if [ "$code" = 0 ] || [ -n "$problems" ]; then
			serve_old
			before=$(snapshot)
		else
			sed -i '2,$d' "$STATE/audit.jsonl" # one record at a time
		fi
	done <"$DIR/positions"
	echo "over a generation: $refused refused, $passed done without"
}

# refuse_first ROW EVERY ERRNO... - the same for the first apply ever, which makes the instance:
# every EVERY-th call. A refused one leaves no pin, and the next apply works.
refuse_first() {
	local k name error problems number=0 errors=("${@:3}")
	refused=0 passed=0
	serve_nothing
	looking=$(looks)
	serve_nothing
	positions "$1" "$STANCH" -q apply "$DIR/new.yaml" | awk -v every="$2" 'NR % every == 0' \
		>"$DIR/positions"
	while read -r k name; do
		error=${errors[number++ % ${#errors[@]}]}
		serve_nothing
		refuse "$k" "$name" "$error" "$STANCH" -q apply "$DIR/new.yaml"
		if [ "$code" = 0 ]; then
			problems=$(judge_done 1 "$name" "$k")
			passed=$((passed + 1))
		else
			problems=$(judge_told 1 "$name" "$error"; judge_first)
			refused=$((refused + 1))
		fi
		tell_wrong "$k" "$name" "$error" "$said" "$problems"
	done <"$DIR/positions"
	echo "the first of all: $refused refused, $passed done without"
}

# Either no instance at all, or a whole one that judges with the factory generation.
judge_first() {
	local left
	if [ -e "$PINS" ]; then
		[ "$(stanch -j status | jq -r .live.generation)" = 0 ] || echo "half an instance is left"
	else
		left=$(find "$STANCH_BPF_DIR" -mindepth 1 ! -name '*.debug') # the kernel's own
		[ -z "$left" ] || echo "left over: $left"
	fi
	stanch -q apply "$DIR/new.yaml" >/dev/null || echo "the next apply fails"
}

# refused_enough N - the row means something: that many calls were refused, and most of all.
refused_enough() { [ "$refused" -ge "$1" ] && [ "$passed" -lt "$refused" ]; }
