# What is asked where no other policy is given. `selfsame policy show` prints it.
package selfsame

default allow := false

# What is not said is not allowed: each line asks for its fact.
allow if {
	count(deny) == 0
	is_string(input.release.name)
	is_string(input.release.version)
	startswith(input.release.image, "sha256:")
	startswith(input.release.id, "sha256:")
	is_string(input.builder.id)
	is_string(input.level.achieved)
	count(input.signers) > 0
	is_array(input.relaxations)
	is_object(input.expected)
}

accepted := {name | some name in split(input.expected.relaxations, ",")}

# A build that gave up a protection is taken from those only who said that they accept it, by its name.
deny contains sprintf("the build used the relaxation %v, and nobody accepted it", [relaxation.name]) if {
	some relaxation in input.relaxations
	not relaxation.name in accepted
}
