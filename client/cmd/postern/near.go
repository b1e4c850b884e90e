package main

import (
	"cmp"
	"slices"
	"strings"
)

// nearest are those of the words that somebody may have meant by word, the
// nearest first, three at most.
func nearest(word string, words []string) []string {
	word = strings.ToLower(word)
	type found struct {
		text string
		far  int
	}
	var near []found
	for _, w := range words {
		lower := strings.ToLower(w)
		far := distance(word, lower)
		if strings.Contains(lower, word) || strings.Contains(word, lower) {
			far = min(far, 1)
		}
		if far <= 1+len(word)/4 {
			near = append(near, found{w, far})
		}
	}
	slices.SortStableFunc(near, func(x, y found) int { return cmp.Compare(x.far, y.far) })
	var out []string
	for _, f := range near[:min(len(near), 3)] {
		out = append(out, f.text)
	}
	return out
}

// distance is how many letters have to be put in, left out, changed or swapped
// with their neighbour to make b of a (optimal string alignment).
func distance(a, b string) int {
	x, y := []rune(a), []rune(b)
	rows := make([][]int, len(x)+1)
	for i := range rows {
		rows[i] = make([]int, len(y)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(x); i++ {
		for j := 1; j <= len(y); j++ {
			other := 1
			if x[i-1] == y[j-1] {
				other = 0
			}
			d := min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+other)
			if i > 1 && j > 1 && x[i-1] == y[j-2] && x[i-2] == y[j-1] {
				d = min(d, rows[i-2][j-2]+1)
			}
			rows[i][j] = d
		}
	}
	return rows[len(x)][len(y)]
}
