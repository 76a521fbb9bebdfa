package build

import (
	"fmt"
	"slices"

	"github.com/sallyport-dev/sallyport/bundle"
)

// oneWay reads what the release says of changes that outlast it: those that no rollback can undo, and restarts.
func (c *checker) oneWay() error {
	s := c.doc.Spec
	c.spec.Roll = s.Roll == nil || *s.Roll
	if len(s.OneWay) > bundle.MaxOneWay {
		return c.fail("spec.oneWay", "release the changes in several steps", "names %d objects, more than %d", len(s.OneWay), bundle.MaxOneWay)
	}
	for i, r := range s.OneWay {
		at := fmt.Sprintf("spec.oneWay[%d]", i)
		if err := r.Validate(); err != nil {
			return c.fail(at, "write {kind: KIND, namespace: NAMESPACE, name: NAME}", "does not name an object: %v", err)
		}
		if slices.Contains(s.OneWay[:i], r) {
			return c.fail(at, "keep one of the two", "names %s a second time", r)
		}
	}
	c.spec.OneWay = slices.SortedFunc(slices.Values(s.OneWay), bundle.CompareObjectRefs)
	return nil
}
