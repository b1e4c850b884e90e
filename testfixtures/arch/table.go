package arch

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// rooms is the room table: the floor of each room by its folder path.
type rooms map[string]int

// has says whether a place is a room of the table or a folder that holds one.
func (r rooms) has(place string) bool {
	for room := range r {
		if within(room, place) {
			return true
		}
	}
	return false
}

// within says whether a room is the place or lies in it.
func within(room, place string) bool {
	return room == place || strings.HasPrefix(room, place+"/")
}

// withinAny says whether a room lies in one of the places.
func withinAny(room string, places []string) bool {
	return slices.ContainsFunc(places, func(place string) bool { return within(room, place) })
}

// folder is the first element of a room's path.
func folder(room string) string {
	first, _, _ := strings.Cut(room, "/")
	return first
}

// isFixture says whether a package is test equipment and no room of the house.
func isFixture(dir string) bool { return folder(dir) == "testfixtures" }

// isProgram says whether a room is a program: <folder>/cmd/<name>.
func isProgram(dir string) bool {
	parts := strings.Split(dir, "/")
	return len(parts) == 3 && parts[1] == "cmd"
}

// tableHeader is the header row by which the one table is known.
var tableHeader = []string{"room", "floor", "one job"}

// parseTable reads the one table headed "room | floor | one job".
func parseTable(text string) (rooms, []Breach) {
	table := rooms{}
	var breaches []Breach
	wrong := func(line int, format string, args ...any) {
		breaches = append(breaches, Breach{KindTable, TablePath, line, fmt.Sprintf(format, args...)})
	}
	lines := strings.Split(text, "\n")
	tables := 0
	for i := 0; i < len(lines); i++ {
		if !slices.Equal(cells(lines[i]), tableHeader) {
			continue
		}
		if tables++; tables > 1 {
			wrong(i+1, "a second room table; there is one")
		}
		// The row after the header only draws the line under it.
		for i += 2; i < len(lines) && strings.HasPrefix(strings.TrimSpace(lines[i]), "|"); i++ {
			room, floor, problem := parseRow(lines[i])
			if problem != "" {
				wrong(i+1, "%s", problem)
				continue
			}
			if _, twice := table[room]; twice {
				wrong(i+1, "room %s has two rows", room)
				continue
			}
			table[room] = floor
		}
	}
	if len(table) == 0 {
		wrong(0, "no room table found")
	}
	return table, breaches
}

// parseRow reads one row of the table; problem is empty when it is a good one.
func parseRow(line string) (room string, floor int, problem string) {
	row := cells(line)
	if len(row) != len(tableHeader) {
		return "", 0, fmt.Sprintf("a row has %d cells, not %d", len(row), len(tableHeader))
	}
	room = strings.Trim(row[0], "`")
	floor, err := strconv.Atoi(row[1])
	switch {
	case room == "":
		return "", 0, "a row without a room"
	case isFixture(room):
		return "", 0, fmt.Sprintf("%s is test equipment and has no floor", room)
	case err != nil || floor < 0:
		return "", 0, fmt.Sprintf("room %s: floor %q is not a number from 0", room, row[1])
	case row[2] == "":
		return "", 0, fmt.Sprintf("room %s has no job", room)
	}
	return room, floor, ""
}

// cells splits a table row; nil when the line is not one.
func cells(line string) []string {
	line = strings.TrimSpace(line)
	if len(line) < 2 || !strings.HasPrefix(line, "|") || !strings.HasSuffix(line, "|") {
		return nil
	}
	row := strings.Split(line[1:len(line)-1], "|")
	for i := range row {
		row[i] = strings.TrimSpace(row[i])
	}
	return row
}
