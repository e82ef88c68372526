# A release that a person would call one: no development key, no relaxation, nothing uncommitted, every action checked.
package selfsame

default allow := false

allow if {
	count(deny) == 0
	input.builder.development == false
	count(input.relaxations) == 0
	input.checked.twice == true
	input.level.achieved in {"normalized", "deterministic", "serialized"}
	committed
}

# A folder has to be what a commit has; a source that was locked by its digest has no folder.
committed if {
	input.source.dirty == false
	input.source.commit
}

committed if startswith(input.source.uri, "pkg:")

deny contains "it is built with a development key" if input.builder.development

deny contains sprintf("the build used the relaxation %v: %v", [it.name, it.reason]) if some it in input.relaxations

deny contains sprintf("its actions were not run twice: %v", [input.checked.because]) if not input.checked.twice

deny contains "its source held changes that no commit has" if input.source.dirty
