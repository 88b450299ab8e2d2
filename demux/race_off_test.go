//go:build !race

package demux

// raceEnabled says that the race detector is on: it allocates where the product does not.
const raceEnabled = false
