package smbconf

// Suggest finds among known names the one that a misspelt name most likely
// means, "" if none is near. Near is an edit distance (insertion, deletion,
// substitution, swap of neighbours) of at most a third of the name.
func Suggest(name string, known []string) string {
	key := []rune(Key(name))
	best, bestDistance := "", max(1, len(key)/3)+1
	for _, k := range known {
		if d := distance(key, []rune(Key(k))); d < bestDistance {
			best, bestDistance = k, d
		}
	}
	return best
}

// distance is the optimal string alignment distance.
func distance(a, b []rune) int {
	before, above, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range above {
		above[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(above[j]+1, row[j-1]+1, above[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, above, row = above, row, before
	}
	return above[len(b)]
}
