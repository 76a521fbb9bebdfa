package receipt

import (
	"fmt"
	"slices"
	"strings"
)

// Folder is the folder on a medium that receipts are in.
const Folder = "receipts"

// reserved are the names that Windows gives to no file, whatever follows their first dot.
var reserved = []string{"con", "prn", "aux", "nul", "com1", "com2", "com3", "com4", "com5", "com6", "com7", "com8", "com9",
	"lpt1", "lpt2", "lpt3", "lpt4", "lpt5", "lpt6", "lpt7", "lpt8", "lpt9"}

// stem is the front of the names of a site's files. Names of sites are lower-case letters, digits, dots and hyphens, all of
// which FAT takes.
func stem(site string) string {
	if first, _, dotted := strings.Cut(site, "."); dotted && slices.Contains(reserved, first) {
		return "site-" + site
	}
	return site
}

// nameOf is the file of a receipt: store-0142-17.json, and store-0142-17.2.json where transaction 17 is told of again.
func nameOf(site string, transaction uint64, attempt int) string {
	if attempt == 1 {
		return fmt.Sprintf("%s-%d.json", stem(site), transaction)
	}
	return fmt.Sprintf("%s-%d.%d.json", stem(site), transaction, attempt)
}

// keyName is the file of a site's enrolment, presenceName that of its standing.
func keyName(site string) string      { return stem(site) + ".key.json" }
func presenceName(site string) string { return stem(site) + ".now.json" }

// apart is name with eight letters of a mark, an id or a digest: where something else has that name already.
func apart(name, mark string) string {
	_, mark, _ = strings.Cut(mark, ":")
	var short strings.Builder
	for _, c := range strings.ToLower(mark) {
		if (c >= 'a' && c <= 'z' || c >= '0' && c <= '9') && short.Len() < 8 {
			short.WriteRune(c)
		}
	}
	return strings.TrimSuffix(name, ".json") + "." + short.String() + ".json"
}
