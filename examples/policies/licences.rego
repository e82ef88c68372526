# Every package of the SBOM says a licence, and each one is of this list. Of an expression every id in it has to be: who
# wants to choose one side of an OR says so in a list of exceptions.
package selfsame

default allow := false

permissive := {
	"0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "BSL-1.0", "CC0-1.0", "ISC", "MIT", "MIT-0", "Unicode-3.0",
	"Unlicense", "Zlib",
}

# What somebody looked at, by package URL, with the reason beside it.
exceptions := {"pkg:generic/example@1.0": "a library of our own"}

allow if {
	count(input.components) > 0
	count(deny) == 0
}

# Words of an expression: ids, without brackets and what joins them.
ids(text) := {word |
	some word in split(replace(replace(text, "(", " "), ")", " "), " ")
	not word in {"", "AND", "OR", "WITH", "LLVM-exception"}
}

named(component) := sprintf("%v %v", [component.name, component.version])

deny contains sprintf("%v says no licence", [named(component)]) if {
	some component in input.components
	not exceptions[component.purl]
	count(component.licenses) == 0
}

deny contains sprintf("%v has the licence %v", [named(component), id]) if {
	some component in input.components
	not exceptions[component.purl]
	some text in component.licenses
	some id in ids(text)
	not id in permissive
}
