// Package report reads folders of receipts, as they come back from many sites on sticks and over links, and tells what the sites
// did. It belongs to the factory; a site never links it.
//
// A folder of receipts may hold anything: whoever had a stick could write to it. A statement counts only if a key has signed it
// that is enrolled, names of files are never made of what statements say, links are not followed, and what does not fit stands
// apart by name instead of being left out.
package report
