//go:build race

package statedb

// raceEnabled says that the race detector is on.
const raceEnabled = true
