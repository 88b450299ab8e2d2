//go:build race

package transport

// raceEnabled tells whether the race detector is on.
const raceEnabled = true
