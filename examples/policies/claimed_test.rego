package selfsame_test

import data.selfsame

files(paths, setuid) := {"unclaimed": {"count": count(paths), "paths": paths}, "setuid": setuid}

test_all_claimed if selfsame.allow with input as {"files": files([], []), "untraced": []}

test_own_program if selfsame.allow with input as {"files": files(["/usr/bin/app"], []), "untraced": []}

test_strange_file if not selfsame.allow with input as {"files": files(["/tmp/x"], []), "untraced": []}

# Only the first paths are told: a list that is cut short is not the whole list.
test_cut_short if not selfsame.allow with input as {
	"files": {"unclaimed": {"count": 2, "paths": ["/usr/bin/app"]}, "setuid": []},
	"untraced": [],
}

test_setuid if not selfsame.allow with input as {"files": files([], ["/usr/bin/su"]), "untraced": []}

test_untraced if {
	reasons := selfsame.deny with input as {"files": files([], []), "untraced": [{"name": "ghost", "version": "1", "purl": ""}]}
	reasons == {"nothing shows that ghost 1 is in the image"}
}

test_not_known if not selfsame.allow with input as {}
