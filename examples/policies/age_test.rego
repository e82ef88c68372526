package selfsame_test

import data.selfsame

aged(days) := {"day": {"date": "2026-11-20", "number": 20777}, "release": {"day": 20777 - days}}

test_today if selfsame.allow with input as aged(0)

test_ninety_days if selfsame.allow with input as aged(90)

test_older if {
	reasons := selfsame.deny with input as aged(91)
	reasons == {"its source is 91 days old; at most 90 are accepted"}
}

test_future if not selfsame.allow with input as aged(-1)

# A release need not say when its source is from; then it is not known to be new.
test_not_known if not selfsame.allow with input as {"day": {"date": "2026-11-20", "number": 20777}, "release": {}}
