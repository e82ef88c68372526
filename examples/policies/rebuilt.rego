# Two others rebuilt it to the same bytes: identities, as the trust file names them, not machines and not keys.
package selfsame

default allow := false

wanted := 2

who := {rebuilder.identity | some rebuilder in input.rebuilders}

allow if count(who) >= wanted

deny contains sprintf("%d of the %d others that are asked for rebuilt it", [count(who), wanted]) if count(who) < wanted
