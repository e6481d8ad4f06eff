module spraylab/echo

go 1.24
