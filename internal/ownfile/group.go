package ownfile

import (
	"os"
	"strconv"
	"strings"
)

// private tells whether a group is the private one of a user: no other user is in it, by /etc/passwd and /etc/group.
// Where these do not tell (a directory service), it is not.
func private(gid, uid uint32) bool {
	user, ok := onlyUser(uid, gid)
	if !ok {
		return false
	}
	for _, f := range database("/etc/group") {
		if len(f) < 4 || f[2] != strconv.FormatUint(uint64(gid), 10) {
			continue
		}
		return f[3] == "" || f[3] == user
	}
	return false
}

// onlyUser returns the name of the user uid, if that is the only one whose group is gid.
func onlyUser(uid, gid uint32) (name string, ok bool) {
	for _, f := range database("/etc/passwd") {
		if len(f) < 4 || f[3] != strconv.FormatUint(uint64(gid), 10) {
			continue
		}
		if f[2] != strconv.FormatUint(uint64(uid), 10) {
			return "", false
		}
		name, ok = f[0], true
	}
	return name, ok
}

// database returns the fields of each line of such a file.
func database(path string) (lines [][]string) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	for line := range strings.Lines(string(b)) {
		lines = append(lines, strings.Split(strings.TrimSpace(line), ":"))
	}
	return lines
}
