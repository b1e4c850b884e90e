package patch

import "strings"

// debianOrder compares two versions of Debian packages as deb-version(7)
// orders them: epoch, then upstream version, then revision. The result is
// below, at or above zero.
func debianOrder(a, b string) int {
	epochA, restA := cutEpoch(a)
	epochB, restB := cutEpoch(b)
	if c := compareDigits(epochA, epochB); c != 0 {
		return c
	}
	upstreamA, revisionA := cutRevision(restA)
	upstreamB, revisionB := cutRevision(restB)
	if c := debianPart(upstreamA, upstreamB); c != 0 {
		return c
	}
	return debianPart(revisionA, revisionB)
}

func cutEpoch(v string) (epoch, rest string) {
	if epoch, rest, ok := strings.Cut(v, ":"); ok {
		return epoch, rest
	}
	return "0", v
}

func cutRevision(v string) (upstream, revision string) {
	if i := strings.LastIndexByte(v, '-'); i >= 0 {
		return v[:i], v[i+1:]
	}
	return v, "0" // "the absence of a revision is equivalent to a revision of 0"
}

// debianPart compares runs of other characters and runs of digits in turn.
func debianPart(a, b string) int {
	for a != "" || b != "" {
		for startsOther(a) || startsOther(b) {
			x, y := debianWeight(a), debianWeight(b)
			if x != y {
				return x - y
			}
			a, b = dropByte(a), dropByte(b)
		}
		var x, y string
		x, a = cutDigits(a)
		y, b = cutDigits(b)
		if c := compareDigits(x, y); c != 0 {
			return c
		}
	}
	return 0
}

func startsOther(s string) bool { return s != "" && !isDigit(s[0]) }

func dropByte(s string) string {
	if startsOther(s) {
		return s[1:]
	}
	return s
}

// debianWeight is the rank of the first character: a tilde before the end of
// the part, that before letters, those before all other characters.
func debianWeight(s string) int {
	switch {
	case !startsOther(s):
		return 0
	case s[0] == '~':
		return -1
	case isLetter(s[0]):
		return int(s[0])
	}
	return int(s[0]) + 256
}

// rpmOrder compares two strings of the form [epoch:]version[-release] as
// rpm-version(7) orders them. Where one side has no release, releases do not
// count.
func rpmOrder(a, b string) int { return evrOrder(a, b, rpmPart) }

// pacmanOrder compares two versions as vercmp(8) does.
func pacmanOrder(a, b string) int { return evrOrder(a, b, pacmanPart) }

func evrOrder(a, b string, order func(a, b string) int) int {
	epochA, restA := cutEpoch(a)
	epochB, restB := cutEpoch(b)
	if c := compareDigits(epochA, epochB); c != 0 {
		return c
	}
	versionA, releaseA, _ := strings.Cut(restA, "-")
	versionB, releaseB, _ := strings.Cut(restB, "-")
	if c := order(versionA, versionB); c != 0 || releaseA == "" || releaseB == "" {
		return c
	}
	return order(releaseA, releaseB)
}

// rpmPart compares segments of digits or letters; other characters only
// separate, but for the tilde, which sorts before everything, and the caret,
// which sorts after the end and before everything else.
func rpmPart(a, b string) int {
	for {
		a, b = strings.TrimLeftFunc(a, rpmSeparator), strings.TrimLeftFunc(b, rpmSeparator)
		x, y := firstByte(a), firstByte(b)
		switch {
		case x == y && (x == '~' || x == '^'):
			a, b = a[1:], b[1:]
			continue
		case x == '~', x == '^' && y != 0 && y != '~':
			return -1
		case y == '~', y == '^' && x != 0:
			return 1
		case x == 0 || y == 0:
			return min(len(a), 1) - min(len(b), 1)
		}
		var c int
		if c, a, b = segment(a, b); c != 0 {
			return c
		}
	}
}

func firstByte(s string) byte {
	if s == "" {
		return 0
	}
	return s[0]
}

func rpmSeparator(r rune) bool { return notAlnum(r) && r != '~' && r != '^' }

func notAlnum(r rune) bool { return r > 127 || !isDigit(byte(r)) && !isLetter(byte(r)) }

// segment compares the run of digits or of letters at the front of both, of
// which neither is empty, and gives what follows. Digits are newer than letters.
func segment(a, b string) (c int, restA, restB string) {
	var x, y string
	if isDigit(a[0]) {
		x, restA = cutDigits(a)
		y, restB = cutDigits(b)
		if y == "" {
			return 1, restA, restB
		}
		return compareDigits(x, y), restA, restB
	}
	x, restA = cutLetters(a)
	y, restB = cutLetters(b)
	if y == "" {
		return -1, restA, restB
	}
	return strings.Compare(x, y), restA, restB
}

// pacmanPart differs from rpm in what is left at the end: letters that follow
// at once are older than nothing (1.0rc < 1.0), and more separators are newer.
func pacmanPart(a, b string) int {
	for a != "" && b != "" {
		cutA, cutB := strings.TrimLeftFunc(a, notAlnum), strings.TrimLeftFunc(b, notAlnum)
		separatedA, separatedB := len(a)-len(cutA), len(b)-len(cutB)
		a, b = cutA, cutB
		if a == "" || b == "" {
			break
		}
		if separatedA != separatedB {
			return separatedA - separatedB
		}
		var c int
		if c, a, b = segment(a, b); c != 0 {
			return c
		}
	}
	switch {
	case a == b:
		return 0
	case a == "" && !isLetter(b[0]), a != "" && isLetter(a[0]):
		return -1
	}
	return 1
}

// alpineOrder compares two versions of Alpine packages, by "Package versions"
// of the APKBUILD reference: numbers with dots, one letter, suffixes such as
// _rc2 or _p1, then the build after "-r".
func alpineOrder(a, b string) int {
	a, buildA, _ := strings.Cut(a, "-r")
	b, buildB, _ := strings.Cut(b, "-r")
	a, suffixesA, _ := strings.Cut(a, "_")
	b, suffixesB, _ := strings.Cut(b, "_")
	if c := rpmPart(a, b); c != 0 {
		return c
	}
	if c := alpineSuffixes(suffixesA, suffixesB); c != 0 {
		return c
	}
	return compareDigits(buildA, buildB)
}

func alpineSuffixes(a, b string) int {
	for a != "" || b != "" {
		var x, y string
		x, a, _ = strings.Cut(a, "_")
		y, b, _ = strings.Cut(b, "_")
		nameX, numberX := cutLetters(x)
		nameY, numberY := cutLetters(y)
		if c := alpineWeight(nameX) - alpineWeight(nameY); c != 0 {
			return c
		}
		if c := compareDigits(numberX, numberY); c != 0 {
			return c
		}
	}
	return 0
}

// alpineWeight is below zero for what comes before the release itself.
func alpineWeight(suffix string) int {
	for i, name := range []string{"alpha", "beta", "pre", "rc", "", "cvs", "svn", "git", "hg", "p"} {
		if name == suffix {
			return i - 4
		}
	}
	return 0
}

func isDigit(b byte) bool  { return b >= '0' && b <= '9' }
func isLetter(b byte) bool { return b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' }

func cutDigits(s string) (digits, rest string) {
	return cutWhile(s, isDigit)
}

func cutLetters(s string) (letters, rest string) {
	return cutWhile(s, isLetter)
}

func cutWhile(s string, is func(byte) bool) (run, rest string) {
	i := 0
	for i < len(s) && is(s[i]) {
		i++
	}
	return s[:i], s[i:]
}

// compareDigits compares numbers of any length; no digits are zero.
func compareDigits(a, b string) int {
	a, b = strings.TrimLeft(a, "0"), strings.TrimLeft(b, "0")
	if len(a) != len(b) {
		return len(a) - len(b)
	}
	return strings.Compare(a, b)
}
