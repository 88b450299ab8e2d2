//go:build race

package lab

// raceEnabled tells whether this process was built with the race detector.
const raceEnabled = true
