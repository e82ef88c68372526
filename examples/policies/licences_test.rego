package selfsame_test

import data.selfsame

of(licences) := {"components": [{"name": "a", "version": "1", "purl": "pkg:cargo/a@1", "licenses": licences}]}

test_permissive if selfsame.allow with input as of(["MIT"])

test_expression if selfsame.allow with input as of(["MIT OR (Apache-2.0 WITH LLVM-exception AND Zlib)"])

test_copyleft if {
	reasons := selfsame.deny with input as of(["MIT AND GPL-3.0-only"])
	reasons == {"a 1 has the licence GPL-3.0-only"}
}

test_none if not selfsame.allow with input as of([])

test_exception if selfsame.allow with input as {"components": [{
	"name": "example", "version": "1.0", "purl": "pkg:generic/example@1.0", "licenses": [],
}]}

test_no_sbom if not selfsame.allow with input as {"components": []}

test_not_known if not selfsame.allow with input as {}
