# Every file of the image is a package's, every package is shown by an input or by files, and nothing runs as another user
# than the one who starts it. Asks for depth `content`.
package selfsame

default allow := false

# What may lie there without being anybody's: the program that the image is for.
own := {"/usr/bin/app"}

# Programs that may be setuid.
lent := set()

allow if {
	count(deny) == 0
	count(input.files.unclaimed.paths) == input.files.unclaimed.count
	is_array(input.untraced)
	is_array(input.files.setuid)
}

deny contains sprintf("no package claims %v", [path]) if {
	some path in input.files.unclaimed.paths
	not path in own
}

deny contains sprintf("nothing shows that %v %v is in the image", [it.name, it.version]) if some it in input.untraced

deny contains sprintf("%v runs as another user or with capabilities", [path]) if {
	some path in input.files.setuid
	not path in lent
}
