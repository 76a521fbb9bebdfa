package systemdboot

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/sallyport-dev/sallyport/apply/slot"
)

// entry is a boot entry as systemd-boot sees it.
type entry struct {
	name
	root string // the folder that stands for its file system, on the machine that this program runs on
	file string // the name of its file
	id   string // the loader's name of it: the name of its file, in lower case
	keys
	content []byte // of an entry of type #1
}

// keys are what an entry is ordered by; an absent one is not an empty one.
type keys struct{ sortKey, machineID, version *string }

// compare is the order in which systemd-boot lists entries; the first is what it boots.
func compare(a, b *entry) int {
	return cmp.Or(
		compareBool(a.left == 0, b.left == 0),
		compareKeys(a.keys, b.keys),
		-compareVersions(a.id, b.id),
		compareTries(a, b),
	)
}

// compareKeys orders entries with a sort key before those without.
func compareKeys(a, b keys) int {
	if a.sortKey == nil || b.sortKey == nil {
		return compareBool(a.sortKey == nil, b.sortKey == nil)
	}
	return cmp.Or(
		strings.Compare(*a.sortKey, *b.sortKey),
		compareAbsent(a.machineID, b.machineID),
		-compareVersions(deref(a.version), deref(b.version)),
	)
}

func compareTries(a, b *entry) int {
	if a.left == uncounted || b.left == uncounted {
		return 0
	}
	return cmp.Or(-cmp.Compare(a.left, b.left), cmp.Compare(a.done, b.done))
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}

// compareAbsent puts an absent text before every other.
func compareAbsent(a, b *string) int {
	if a == nil || b == nil {
		return compareBool(a != nil, b != nil)
	}
	return strings.Compare(*a, *b)
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// line is a line of an entry of type #1.
type line struct {
	text       string // with its end
	key, value string // empty of a line without a meaning
}

// parseLines takes a file of keys and values apart; sep are the characters between a key and its value. Joined, the texts of the
// lines are the file.
func parseLines(content, sep string) []line {
	var lines []line
	for content != "" {
		n := strings.IndexAny(content, "\n\r")
		if n < 0 {
			n = len(content) - 1
		}
		l := line{text: content[:n+1]}
		content = content[n+1:]
		text := strings.Trim(l.text, " \t\n\r")
		if at := strings.IndexAny(text, sep); at > 0 && text[0] != '#' {
			l.key, l.value = text[:at], strings.TrimLeft(text[at:], sep)
			if v := l.value; len(v) > 1 && v[0] == '"' && v[len(v)-1] == '"' {
				l.value = v[1 : len(v)-1]
			}
		}
		lines = append(lines, l)
	}
	return lines
}

// parseEntry reads the keys of an entry of type #1, and the file that it starts; of several the last counts.
func parseEntry(content []byte) (k keys, program string) {
	for _, l := range parseLines(string(content), " \t") {
		switch l.key {
		case "sort-key":
			k.sortKey = &l.value
		case "machine-id":
			k.machineID = &l.value
		case "version":
			k.version = &l.value
		case "linux", "efi", "uki":
			program = l.value
		}
	}
	return k, program
}

// withKeys is the entry with other keys to be ordered by, and every other line as it was.
func withKeys(content []byte, k keys) []byte {
	lines := slices.DeleteFunc(parseLines(string(content), " \t"), func(l line) bool {
		return l.key == "sort-key" || l.key == "machine-id" || l.key == "version"
	})
	var out strings.Builder
	for _, l := range lines {
		out.WriteString(l.text)
	}
	if s := out.String(); s != "" && !strings.HasSuffix(s, "\n") {
		out.WriteByte('\n')
	}
	for _, kv := range []struct {
		key   string
		value *string
	}{{"sort-key", k.sortKey}, {"machine-id", k.machineID}, {"version", k.version}} {
		if kv.value != nil {
			out.WriteString(kv.key + " " + *kv.value + "\n")
		}
	}
	return []byte(out.String())
}

// before are the keys of an entry that comes just before one with keys k; false if no version is newer.
func (k keys) before() (keys, bool) {
	const ours = "sallyport"
	sortKey := ours
	if k.sortKey != nil {
		sortKey = *k.sortKey
	} else {
		k.version = nil // an entry without a sort key is not ordered by its version
	}
	version, ok := above(deref(k.version))
	return keys{sortKey: &sortKey, machineID: k.machineID, version: &version}, ok
}

// ahead is the content of a slot's entry that comes before the one that runs. It stays as it is where it comes before already.
func ahead(content []byte, running *entry) ([]byte, error) {
	k, _ := parseEntry(content)
	if k.sortKey != nil && compareKeys(k, running.keys) < 0 {
		return content, nil
	}
	k, ok := running.before()
	if !ok {
		return nil, &slot.UnreadyError{
			Text:   fmt.Sprintf("no version is newer than %q, that of the entry %s", deref(running.version), running.file),
			Advice: "give that entry a version that is a small number, such as 1",
		}
	}
	return withKeys(content, k), nil
}
