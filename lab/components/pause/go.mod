module spraylab/pause

go 1.24
