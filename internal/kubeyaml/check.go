package kubeyaml

import (
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// checker looks at a document as it is written for what its values would not show.
type checker struct {
	file   string
	offset int
	// left is how much the document may still grow by its aliases: nodeCost for each node, and the bytes of text.
	left int
}

const nodeCost = 16

func (c *checker) place(n *yaml.Node) Place { return Place{c.file, n.Line + c.offset} }

func (c *checker) fail(n *yaml.Node, problem, advice string) error {
	return &Error{Place: c.place(n), Problem: problem, Advice: advice}
}

// plainTags are the tags that say no more than the text does, or that make it text.
func plainTags() []string {
	return []string{"!!str", "!!int", "!!float", "!!bool", "!!null", "!!map", "!!seq", "!!merge", "!"}
}

// check follows aliases, because they are what a document grows by.
func (c *checker) check(n *yaml.Node, depth int) error {
	if c.left -= nodeCost + len(n.Value); c.left < 0 {
		return c.fail(n, "it is too large by its aliases", "write it out")
	}
	if depth > maxDepth {
		return tooDeep(c.place(n))
	}
	if n.Kind == yaml.AliasNode {
		return c.check(n.Alias, depth+1)
	}
	switch {
	case n.Style&yaml.TaggedStyle != 0 && !slices.Contains(plainTags(), n.ShortTag()):
		// The tag is not told: it may be a password that begins with this sign.
		return c.fail(n, "there is a tag, a word behind !, that Kubernetes does not know", "remove it, or if it is text, write it in quotes")
	case n.Kind == yaml.ScalarNode && n.ShortTag() == "!!float" && notFinite(n.Value):
		return c.fail(n, fmt.Sprintf("%.40s is no number that Kubernetes knows", n.Value), "if it is text, write it in quotes")
	case n.Kind == yaml.MappingNode:
		if err := c.checkKeys(n); err != nil {
			return err
		}
	}
	for _, child := range n.Content {
		if err := c.check(child, depth+1); err != nil {
			return err
		}
	}
	return nil
}

func notFinite(text string) bool {
	text = strings.ToLower(text)
	return strings.HasSuffix(text, ".inf") || text == ".nan"
}

// checkKeys refuses keys that stand twice. A key after a merge key overrides it; before one, readers do not agree.
func (c *checker) checkKeys(n *yaml.Node) error {
	seen := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := resolve(n.Content[i])
		if key.Kind != yaml.ScalarNode {
			return c.fail(key, "a key is not plain text", "")
		}
		if first, ok := seen[key.Value]; ok {
			return repeated(c.place(n.Content[i]), key.Value, first)
		}
		if isMerge(n.Content[i]) {
			merged := map[string]bool{}
			c.mergedKeys(n.Content[i+1], merged, 0)
			for k := 0; k < i; k += 2 {
				if key := resolve(n.Content[k]).Value; merged[key] {
					return c.fail(n.Content[i], fmt.Sprintf("the merge key (<<) stands after %q, which it sets too", key), "write << first")
				}
			}
		}
		seen[key.Value] = c.place(n.Content[i]).Line
	}
	return nil
}

// isMerge tells a merge key from a key that is written "<<" in quotes.
func isMerge(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!merge" }

// mergedKeys collects the keys that a merge key brings.
func (c *checker) mergedKeys(n *yaml.Node, into map[string]bool, depth int) {
	n = resolve(n)
	if c.left -= nodeCost; c.left < 0 || depth > maxDepth {
		return // check will say so
	}
	switch n.Kind {
	case yaml.SequenceNode:
		for _, item := range n.Content {
			c.mergedKeys(item, into, depth+1)
		}
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			if isMerge(n.Content[i]) {
				c.mergedKeys(n.Content[i+1], into, depth+1)
				continue
			}
			c.left -= nodeCost
			into[resolve(n.Content[i]).Value] = true
		}
	}
}

// compare finds keys that YAML takes for something else than they say, such as on, which is true. What aliases stand
// for was compared where it is written.
func (c *checker) compare(n *yaml.Node, v any) error {
	switch n.Kind {
	case yaml.MappingNode:
		fields, _ := v.(map[string]any)
		for i := 0; i+1 < len(n.Content); i += 2 {
			if isMerge(n.Content[i]) {
				continue
			}
			key := resolve(n.Content[i]).Value
			value, ok := fields[key]
			if !ok {
				return c.fail(n.Content[i], fmt.Sprintf("the key %.40s is a boolean or a number to YAML, and would be read as another name", key), "write it in quotes")
			}
			if err := c.compare(n.Content[i+1], value); err != nil {
				return err
			}
		}
	case yaml.SequenceNode:
		items, _ := v.([]any)
		for i, child := range n.Content {
			if i < len(items) {
				if err := c.compare(child, items[i]); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// resolve gives what an alias stands for.
func resolve(n *yaml.Node) *yaml.Node {
	if n != nil && n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}
