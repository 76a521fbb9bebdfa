package inspect

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

const (
	maxSummaryFields = 4
	maxSummaryValue  = 16 // bytes of a value that is short enough to show
)

// summary names the fields that changed by their last part, with their values where these are short.
func summary(changes []FieldChange) string {
	var items []string
	for _, c := range changes {
		item := lastName(c.Path)
		if short(c.Old) && short(c.New) {
			item += fmt.Sprintf(" %s -> %s", c.Old, c.New)
		}
		if !slices.Contains(items, item) {
			items = append(items, item)
		}
	}
	if over := len(items) - maxSummaryFields; over > 0 {
		items = append(items[:maxSummaryFields], fmt.Sprintf("%d more", over))
	}
	return strings.Join(items, ", ")
}

func short(s string) bool { return s != "" && s != masked && len(s) <= maxSummaryValue }

// lastName is the last field of a path: image of spec.containers[app].image, limits of data[limits], args of args[0].
func lastName(path string) string {
	for strings.HasSuffix(path, "]") {
		i := strings.LastIndexByte(path, '[')
		name := strings.Trim(path[i+1:], "]")
		if _, err := strconv.Atoi(name); err != nil || i <= 0 {
			return name
		}
		path = path[:i]
	}
	return path[strings.LastIndexByte(path, '.')+1:]
}
