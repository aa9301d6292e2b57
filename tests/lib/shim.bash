# SPDX-License-Identifier: GPL-2.0-or-later
# shim.bash - run a program with a fault in it; tests/shim/README.md says which there are.

# shim_exec CALL AT DO COMMAND... - the AT-th call of the command that matches CALL does what DO
# says. Takes the place of the shell that calls it: for background jobs, whose $! it then is.
shim_exec() {
	exec env LD_PRELOAD="$B/tests/shim/shim.so" SHIM_CALL="$1" SHIM_AT="$2" SHIM_DO="$3" "${@:4}"
}

# shim CALL AT DO COMMAND... - the same, and come back.
shim() { (shim_exec "$@"); }

# shim_count CALL COMMAND... - how many calls match, without any fault. What the command prints
# is lost, its exit code is not.
shim_count() {
	local log code=0
	log=$(mktemp)
	env LD_PRELOAD="$B/tests/shim/shim.so" SHIM_CALL="$1" SHIM_LOG="$log" "${@:2}" \
		>/dev/null 2>&1 || code=$?
	wc -l <"$log"
	rm -f "$log"
	return "$code"
}

# shim_wait_stopped PID - until STOP has stopped it; fails after ten seconds.
shim_wait_stopped() {
	local _
	for _ in $(seq 200); do
		case $(ps -o stat= -p "$1") in T*) return ;; esac
		sleep 0.05
	done
	return 1
}
