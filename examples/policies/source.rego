# The source is a commit, and every input that names a place names one of these. Hosts are compared whole: what begins like
# one of them and goes on is another. A package URL without a place in it is of its ecosystem's own registry.
package selfsame

default allow := false

hosts := {"git.example.com", "packages.example.com"}

allow if {
	count(deny) == 0
	count(input.inputs) > 0
	input.source.commit
}

# The host of an address: what stands between `://` and the next `/`, without user and port.
host(address) := name if {
	parts := split(address, "://")
	count(parts) == 2
	pieces := split(split(parts[1], "/")[0], "@")
	name := split(pieces[count(pieces) - 1], ":")[0]
}

decoded(text) := replace(replace(replace(lower(text), "%2f", "/"), "%3a", ":"), "%2b", "+")

# Addresses, and what package URLs say of places.
addresses contains [it.name, lower(it.uri)] if {
	some it in input.inputs
	not startswith(it.uri, "pkg:")
	not startswith(it.uri, "selfsame:")
}

addresses contains [it.name, address] if {
	some it in input.inputs
	startswith(it.uri, "pkg:")
	some piece in split(replace(it.uri, "?", "&"), "&")
	some key in ["repository_url=", "download_url=", "vcs_url="]
	startswith(lower(piece), key)
	address := trim_prefix(trim_prefix(decoded(piece), key), "git+")
}

deny contains sprintf("%v is from %v", [name, found]) if {
	some [name, address] in addresses
	found := host(address)
	not found in hosts
}

deny contains sprintf("%v is from a place that is not understood: %v", [name, address]) if {
	some [name, address] in addresses
	not host(address)
}
