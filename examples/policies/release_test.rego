package selfsame_test

import data.selfsame

good := {
	"builder": {"id": "https://example.com/builder", "development": false},
	"relaxations": [],
	"checked": {"twice": true, "because": ""},
	"level": {"asked": "normalized", "achieved": "normalized"},
	"source": {"uri": "selfsame:source", "commit": "0123456789abcdef", "dirty": false},
}

test_good if selfsame.allow with input as good

test_nothing_is_no_release if not selfsame.allow with input as {}

test_dirty if not selfsame.allow with input as object.union(good, {"source": {"dirty": true}})

test_development if {
	not selfsame.allow with input as object.union(good, {"builder": {"development": true}})
}

test_relaxed if {
	reasons := selfsame.deny with input as object.union(good, {"relaxations": [{"name": "aslr", "reason": "slow"}]})
	reasons == {"the build used the relaxation aslr: slow"}
}

test_unchecked if {
	not selfsame.allow with input as object.union(good, {"checked": {"twice": false, "because": "--no-check"}})
}

test_locked_source if selfsame.allow with input as object.union(
	object.remove(good, ["source"]),
	{"source": {"uri": "pkg:generic/hello@1.0"}},
)

test_no_commit if not selfsame.allow with input as object.union(
	object.remove(good, ["source"]),
	{"source": {"uri": "selfsame:source", "dirty": false}},
)
