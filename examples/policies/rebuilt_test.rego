package selfsame_test

import data.selfsame

lab := {"identity": "lab", "name": "lab"}

second_key_of_lab := {"identity": "lab", "name": "lab-2"}

university := {"identity": "university", "name": "university"}

test_two if selfsame.allow with input as {"rebuilders": [lab, university]}

test_two_keys_of_one if not selfsame.allow with input as {"rebuilders": [lab, second_key_of_lab]}

test_nobody if not selfsame.allow with input as {"rebuilders": []}

test_not_known if not selfsame.allow with input as {}
