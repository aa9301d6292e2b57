# SPDX-License-Identifier: GPL-2.0-or-later
# restart.bash - a machine that restarts, seen from an instance: what is in the kernel is gone, what
# is on disk is not. Needs e2e.bash.

restart() { rm -rf "$PINS"; }

# numbered_policies - p1 to p5 in $DIR, which drop 203.0.113.1 to .5, each one alone.
numbered_policies() {
	local n
	for n in 1 2 3 4 5; do
		policy "p$n" <<-END
			version: 1
			mode: enforce
			lists: [{name: bad, action: drop, entries: [203.0.113.$n]}]
		END
	done
}

apply_all() { for n in "$@"; do stanch -q apply --now "$DIR/p$n.yaml" >/dev/null; done; }

# judges N [GENERATION] - policy N judges, and no other of the five.
judges() {
	local n verdict
	for n in 1 2 3 4 5; do
		verdict=$(stanch -j explain --src "203.0.113.$n" | jq -r .verdict)
		[ "$verdict" = "$([ "$n" = "$1" ] && echo drop || echo pass)" ] ||
			{ echo "203.0.113.$n: $verdict under policy $1"; return 1; }
	done
	[ -z "${2:-}" ] ||
		[ "$(stanch -j explain --src 203.0.113.99 | jq -r .generation)" = "$2" ]
}

# digest N, image N - of policy N, as it was compiled.
digest() { stanch -j inspect "$DIR/p$1.yaml" | jq -r .digest; }
image() { echo "$STATE/images/$(digest "$1").img"; }

# live_pointer - the generation that it names.
live_pointer() { od -An -tu8 -j8 -N8 "$STATE/live" | tr -d ' '; }
