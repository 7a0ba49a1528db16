package strictyaml

import "iter"

// Nearest returns the known name that is the fewest changes of a byte away
// from word; "" when none is known.
func Nearest(word string, known iter.Seq[string]) string {
	best, distance := "", 1<<30
	for k := range known {
		if d := changes(word, k); d < distance || d == distance && k < best {
			best, distance = k, d
		}
	}
	return best
}

// changes is the distance of Levenshtein.
func changes(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}
