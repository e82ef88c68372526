# Built from a source of the last 90 days. The day is the one that is asked for, `--at` or today: the same question has the
# same answer for ever.
package selfsame

default allow := false

most_days := 90

age := input.day.number - input.release.day

allow if {
	age >= 0
	age <= most_days
}

deny contains sprintf("its source is %d days old; at most %d are accepted", [age, most_days]) if age > most_days

deny contains "its source is of a day that is yet to come" if age < 0
