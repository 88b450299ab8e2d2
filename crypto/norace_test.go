//go:build !race

package crypto

// raceEnabled tells whether the race detector is on.
const raceEnabled = false
