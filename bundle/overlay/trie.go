package overlay

// trie is a set of paths, to find which of many lie above or below one another.
type trie struct {
	next map[Step]*trie
	// edits are those whose path ends here.
	edits []owned
	end   bool
}

// owned is an edit of an overlay, by its number.
type owned struct {
	*Edit
	overlay int
}

// add puts a path in, unless it is there, or one above or below it.
func (t *trie) add(p Path) bool {
	for _, s := range p {
		if t.end {
			return false
		}
		t = t.step(s)
	}
	if t.end || len(t.next) > 0 {
		return false
	}
	t.end = true
	return true
}

func (t *trie) step(s Step) *trie {
	if t.next[s] == nil {
		if t.next == nil {
			t.next = map[Step]*trie{}
		}
		t.next[s] = &trie{}
	}
	return t.next[s]
}
