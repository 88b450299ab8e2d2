//go:build race

package backend

// raceEnabled tells that sync.Pool drops things at random.
const raceEnabled = true
