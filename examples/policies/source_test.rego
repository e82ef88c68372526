package selfsame_test

import data.selfsame

from(uris) := {
	"source": {"uri": "selfsame:source", "commit": "0123456789abcdef"},
	"inputs": [{"name": "x", "uri": uri} | some uri in uris],
}

test_here if selfsame.allow with input as from(["selfsame:definition", "https://packages.example.com/a.tar.gz"])

test_with_port_and_user if selfsame.allow with input as from(["https://me@git.example.com:8443/a.git"])

test_elsewhere if {
	reasons := selfsame.deny with input as from(["https://evil.example.net/a.tar.gz"])
	reasons == {"x is from evil.example.net"}
}

test_begins_alike if not selfsame.allow with input as from(["https://git.example.com.evil.example.net/a"])

test_user_that_looks_like_a_host if {
	not selfsame.allow with input as from(["https://git.example.com@evil.example.net/a"])
}

test_named_in_a_package_url if {
	not selfsame.allow with input as from(["pkg:deb/debian/gcc@12?arch=amd64&repository_url=https%3A%2F%2Fevil.example.net/debian"])
}

test_no_commit if not selfsame.allow with input as {"source": {"uri": "selfsame:source"}, "inputs": [{"name": "x", "uri": "y"}]}

test_not_known if not selfsame.allow with input as {}

test_commit_in_a_package_url if selfsame.allow with input as from(["pkg:generic/x@1?vcs_url=git%2Bhttps://git.example.com/x.git%400123"])

test_not_understood if not selfsame.allow with input as from(["pkg:generic/x@1?download_url=nowhere"])

test_by_ssh if not selfsame.allow with input as from(["git@git.example.com:team/x.git"])
