# SPDX-License-Identifier: GPL-2.0-or-later
"""What the soak does: each operation says how it ended, in a word or two, and whether it may end
so. Every policy here that can become live protects P, drops B and has G on no list."""

import json
import os
import signal
import subprocess
import time

from soak_rig import BAD, GOOD, PROTECTED, SPARE

ROWS = 400  # of the drop list, more or less
QUICK = "{steps: [1%, 50%], step: 300ms, soak: 900ms}"
TIMEOUT = 120
LET_IN = 5  # seconds in which B must have come in when it may


def rows(rng, count):
    """Addresses of nobody here."""
    return sorted({f"{rng.randrange(64, 100)}.{rng.randrange(256)}.{rng.randrange(256)}."
                   f"{rng.randrange(256)}" for _ in range(count)})


class Operations:
    def __init__(self, rig, rng):
        self.rig, self.rng = rig, rng
        self.last_words = ""
        self.verbs = []

    def names(self):
        """The control's own operation is never one of them."""
        needs = {"do_restore": "restore", "do_source": "release"}
        missing = {"do_planted"} | {name for name, verb in needs.items() if verb not in self.verbs}
        return sorted(name[3:] for name in dir(self)
                      if name.startswith("do_") and name not in missing)

    def run(self, name):
        said, right = getattr(self, f"do_{name}")()
        return str(said), right

    @staticmethod
    def lets_in(name):
        """Operations that are meant to let B in for a moment."""
        return name.startswith("open_")

    # ---- the tool ----

    def start(self, *words):
        return subprocess.Popen([self.rig.stanch, "-q", *words], stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def end(self, process):
        """Its exit code."""
        self.last_words, _ = process.communicate(timeout=TIMEOUT)
        self.last_words = " / ".join(self.last_words.strip().splitlines()[-3:])
        return process.returncode

    def tool(self, *words):
        return self.end(self.start(*words))

    def expect(self, allowed, *words):
        code = self.tool(*words)
        return f"exit {code}", code in allowed

    def attach(self, *words):
        return self.expect({0}, "--netns", self.rig.server, *words)

    # ---- policies ----

    def policy(self, name, drop, more=""):
        folder = self.rig.folder
        with open(f"{folder}/{name}.list", "w", encoding="ascii") as out:
            out.writelines(row + "\n" for row in drop)
        with open(f"{folder}/{name}.yaml", "w", encoding="ascii") as out:
            out.write(f"version: 1\nmode: enforce\ncanary: {QUICK}\n"
                      f"protect: {{prefixes: [{PROTECTED}/32]}}\n"
                      f"lists:\n  - {{name: bad, action: drop, file: {name}.list}}\n{more}")
        return f"{folder}/{name}.yaml"

    def good(self, name="good", size=0):
        size = size or self.rng.randint(ROWS - 50, ROWS + 50)
        drop = [BAD, PROTECTED] + rows(self.rng, size)
        more = ""
        if self.rng.random() < 0.5:
            grey = ", ".join(rows(self.rng, self.rng.randint(1, 30)))
            more = f"  - {{name: grey, action: flag, entries: [{grey}]}}\n"
        return self.policy(name, drop, more)

    def begin(self):
        """Two good generations, so that last-known-good is one of them."""
        said = subprocess.run([self.rig.stanch, "help"], check=True, text=True,
                              stdout=subprocess.PIPE).stdout
        self.verbs = [line.split()[0] for line in said.splitlines()
                      if line.startswith("  ") and line.strip()]
        for _ in range(2):
            if self.tool("apply", "--now", self.good()) != 0:
                raise RuntimeError(f"no policy is applied: {self.last_words}")
        self.attach("attach", SPARE)

    def settle(self):
        """No trial is left from a killed apply, and the live policy is trusted."""
        time.sleep(5.5)
        self.tool("apply", "--now", self.good())

    # ---- good ones ----

    def do_apply_now(self):
        return self.expect({0}, "apply", "--now", self.good())

    def do_apply_again(self):
        path = self.good()
        first = self.tool("apply", "--now", path)
        said, right = self.expect({0}, "apply", path)
        return said, right and first == 0

    def do_trial(self):
        return self.expect({0, 7}, "apply", self.good())  # 7: too little of the traffic was seen

    def confirmed(self, confirm):
        apply = self.start("apply", "--now", "--confirm", "2s", self.good())
        said = ""
        for _ in range(200):
            if self.rig.on_trial(True) or apply.poll() is not None:
                break
            time.sleep(0.02)
        if confirm:
            said = f"confirm {self.tool('confirm')}, "
        code = self.end(apply)
        # on a busy machine the confirmation may come too late, which is exit code 7 for both
        return f"{said}exit {code}", code in ({0, 7} if confirm else {7})

    def do_confirm(self):
        return self.confirmed(True)

    def do_no_confirm(self):
        return self.confirmed(False)

    def do_rollback(self):
        return self.expect({0}, "rollback")

    def do_rollback_older(self):
        with open(self.rig.audit, encoding="utf-8") as log:
            numbers = {record["generation"] for record in map(json.loads, log)
                       if record.get("result") == "applied" and record.get("generation")}
        number = self.rng.choice(sorted(str(number) for number in numbers if str(number) != "0"))
        return self.expect({0, 3, 5}, "rollback", number)  # 5: pruned, 3: torn below

    # ---- bad ones ----

    def bad(self, drop, more=""):
        return self.expect({3}, "apply", "--now", self.policy("wrong", drop, more))

    def do_bad_doubled(self):
        drop = [BAD] + rows(self.rng, ROWS)
        return self.bad(drop * self.rng.randint(2, 5))

    def do_bad_grown(self):
        return self.bad([BAD] + rows(self.rng, ROWS * self.rng.randint(3, 10)))

    def do_bad_shrunk(self):
        return self.bad([BAD] + rows(self.rng, ROWS // 10))

    def do_bad_coverage(self):
        return self.bad([BAD, "32.0.0.0/4"] + rows(self.rng, ROWS))

    def do_bad_host(self):
        return self.bad([BAD, "10.77.0.2"] + rows(self.rng, ROWS))

    def do_bad_harm(self):
        """What passes now would be dropped: recent traffic says so."""
        return self.bad([BAD, GOOD] + rows(self.rng, ROWS))

    def do_bad_words(self):
        return self.bad([BAD], self.rng.choice(["  - {name: x, action: burn}\n", "unknown: 1\n",
                                                "  - {name: y, action: drop, file: no.list}\n",
                                                "  - {name: z, action: drop, entries: []}\n"]))

    # ---- torn ones ----

    def torn(self, path, least=1):
        size = os.path.getsize(path)
        os.truncate(path, self.rng.randrange(least, size))

    def do_torn_image(self):
        image = f"{self.rig.folder}/torn.img"
        self.tool("compile", self.good("torn"), "-o", image)
        self.torn(image)
        return self.expect({3}, "apply", "--now", image)

    def do_torn_list(self):
        path = self.good("torn")
        self.torn(path.replace(".yaml", ".list"), len(BAD) + len(PROTECTED) + 2)
        said, right = self.expect({0, 3}, "apply", "--now", path)
        if said == "exit 0":  # cut behind a row, and not much shorter: back to size in two steps
            with open(path.replace(".yaml", ".list"), encoding="ascii") as kept:
                size = len(kept.readlines()) * 7 // 5
            again, right = self.expect({0}, "apply", "--now", self.good(size=min(size, ROWS)))
            said = f"{said}, then {again}"
        return said, right

    def do_torn_store(self):
        """A stored image, and the pointer to what is live; the next apply mends what it needs."""
        self.torn(self.rng.choice(self.rig.images()))
        self.torn(f"{self.rig.folder}/state/default/live")
        return self.expect({0}, "apply", "--now", self.good())

    # ---- several at once, and killed ----

    def do_two_at_once(self):
        pair = [self.start("apply", *words, self.good(name))
                for name, words in (("one", ["--now"]), ("two", self.rng.choice([["--now"], []])))]
        codes = sorted(self.end(process) for process in pair)
        return f"exits {codes}", set(codes) <= {0, 6, 7} and 0 in codes

    def do_rollback_meanwhile(self):
        apply = self.start("apply", *self.rng.choice([["--now"], []]), self.good())
        time.sleep(self.rng.uniform(0, 0.6))
        rollback = self.tool("rollback")
        code = self.end(apply)
        return f"rollback {rollback}, apply {code}", rollback == 0 and code in {0, 6, 7}

    def do_killed(self):
        """An apply or another verb, dead after a moment. Its lease runs out by itself."""
        words, most = self.rng.choice([(["apply", "--now", self.good()], 0.5),
                                       (["apply", self.good()], 2), (["rollback"], 0.02),
                                       (["block", "192.0.2.200"], 0.05),
                                       (["kill", "header"], 0.01)])
        process = self.start(*words)
        time.sleep(self.rng.uniform(0, most))
        process.send_signal(signal.SIGKILL)
        code = self.end(process)
        if self.rig.on_trial(False) and self.rng.random() < 0.5:
            self.tool("rollback")
        elif self.rig.on_trial(False):
            time.sleep(5.2)
        said, right = self.expect({0}, "apply", "--now", self.good())
        self.tool("unblock", "192.0.2.200")
        self.tool("unkill", "header")
        return f"{words[0]} {code}, then {said}", right

    # ---- switches and overrides that leave B alone ----

    def do_kill_header(self):
        first, second = self.tool("kill", "header"), self.tool("unkill", "header")
        return f"exits {first} {second}", first == second == 0

    def do_block(self):
        address = f"192.0.2.{self.rng.randint(64, 254)}"
        first = self.tool("block", address, "--for", "30s")
        second = self.tool("unblock", address)
        return f"exits {first} {second}", first == second == 0

    def do_allow(self):
        address = f"192.0.2.{self.rng.randint(64, 254)}"
        first = self.tool("allow", address, "--for", self.rng.choice(["1s", "1h"]))
        second = self.tool("unallow", address)
        return f"exits {first} {second}", first == second == 0

    def do_verify(self):
        first, second = self.tool("verify"), self.tool("history", "--verify")
        return f"exits {first} {second}", first == second == 0

    def do_look(self):
        words = self.rng.choice([["status"], ["stats", "--by", "list"], ["capacity"], ["history"],
                                 ["explain", "--src", BAD], ["plan", self.good("plan")]])
        return self.expect({0}, *words)

    def do_source(self):
        """Nobody watches this one: two failures put it on hold, until it is released."""
        name = f"feed-{self.rng.randrange(4)}"
        wrong = self.policy("wrong", [BAD] * 2 + rows(self.rng, ROWS))
        codes = [self.tool("apply", "--now", "--source", name, path)
                 for path in (wrong, wrong, self.good())]
        codes += [self.tool("release", name), self.tool("apply", "--now", "--source", name,
                                                        self.good())]
        return f"exits {codes}", codes == [3, 3, 3, 0, 0]

    def do_restore(self):
        """Something is live already: it stays."""
        before = self.rig.word()
        code = self.tool("restore")
        return f"exit {code}", code == 0 and self.rig.word() == before

    # ---- switches that let B in, for a moment ----

    def opened(self, on, off, seconds=0.25):
        """Until B was seen to come in: on a busy machine nobody may have sent for a while."""
        before = self.rig.arrived()["B"]
        first = self.tool(*on)
        end = time.monotonic() + LET_IN
        time.sleep(seconds)
        while self.rig.arrived()["B"] == before and time.monotonic() < end:
            time.sleep(0.05)
        second = self.tool(*off)
        return f"exits {first} {second}", first == second == 0

    def do_open_monitor(self):
        return self.opened(["mode", "monitor"], ["mode", "enforce"])

    def do_open_bypass(self):
        return self.opened(["mode", "bypass"], ["mode", "enforce"])

    def do_open_break_glass(self):
        return self.opened(["mode", "--break-glass", "on"], ["mode", "--break-glass", "off"])

    def do_open_kill(self):
        return self.opened(["kill", "drop"], ["unkill", "drop"])

    def do_open_allow(self):
        """It ends by itself, in the data path."""
        return self.opened(["allow", BAD, "--for", "1s"], ["unallow", BAD], 1.5)

    # ---- interfaces ----

    def do_flap(self):
        for state in ("down", "up"):
            subprocess.run(["ip", "-n", self.rig.server, "link", "set", SPARE, state], check=True)
            time.sleep(self.rng.uniform(0, 0.1))
        return self.attach("attach", SPARE)

    def do_detach_attach(self):
        first, right = self.attach("detach", SPARE)
        second, also = self.attach("attach", SPARE)
        return f"{first}, {second}", right and also

    def do_deleted(self):
        """The interface itself goes and comes back under its name."""
        subprocess.run(["ip", "-n", self.rig.server, "link", "del", SPARE], check=True)
        first = self.tool("detach", "--gone")
        self.rig.make_spare()
        second, right = self.attach("attach", SPARE)
        return f"gone {first}, {second}", first == 0 and right

    # ---- the disk ----

    def do_full_disk(self):
        """No new policy, unless what apply clears away is room enough; what undoes still works."""
        filler = self.rig.fill_disk()
        try:
            apply = self.tool("apply", "--now", self.good())
            codes = [self.tool(*words) for words in
                     (["rollback"], ["kill", "header"], ["unkill", "header"])]
            verify = self.tool("verify")  # 1: the file of what was gone back to is a torn one
            torn = " damaged" in self.last_words or " missing" in self.last_words
        finally:
            os.unlink(filler)
        again = self.tool("apply", "--now", self.good())
        return (f"apply {apply}, others {codes}, verify {verify}, then {again}",
                apply in (0, 1, 3) and codes == [0] * 3 and verify == int(torn) and again == 0)

    # ---- for the control ----

    def do_planted(self):
        """What must be seen: B let in, G stopped, a file left; and it ends as it may not."""
        self.opened(["mode", "bypass"], ["mode", "enforce"])
        self.opened(["block", GOOD], ["unblock", GOOD])
        with open(f"{self.rig.folder}/state/default/images/left.tmp", "wb"):
            pass
        return "planted", False
