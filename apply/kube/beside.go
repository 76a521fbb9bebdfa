package kube

import (
	"context"
	"errors"
	"regexp"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// What the server, or others, have put beside a field can make that field invalid: a value beside a valueFrom, a second
// handler in a probe, a second port beside one without a name. The server names the place. What stands there and is not the
// release's is taken away, whoever filled it in, in small steps until the server takes the object: not more than that.

// inTheWay is one thing that stands beside the release's fields and that a new object would not have, or not so.
type inTheWay struct {
	path   string
	owners []owner
	reset  bool // to what a new object would have; else it goes
	clear  func()
}

// clearing takes away what is in the way of an object that the server refuses.
type clearing struct {
	c    *Cluster
	live *unstructured.Unstructured
	e    *expectation
	asks int // left: how much of the server's time an object is worth
}

// withoutBeside returns the object, which the server refuses, without what stands in the way of the release's fields near the
// places that the server names. nil if that is not what it minds.
func (c *Cluster) withoutBeside(ctx context.Context, live, to *unstructured.Unstructured, e *expectation, refused error) *unstructured.Unstructured {
	w := &clearing{c, live, e, 60}
	for isBeside(refused) {
		if to, refused = w.clearOne(ctx, to, refused); to == nil {
			return nil
		}
	}
	if refused != nil {
		return nil
	}
	return to
}

// isBeside tells of a refusal that may be due to what stands beside the release's fields.
func isBeside(err error) bool { return apierrors.IsInvalid(err) && !isImmutable(err) }

// clearOne finds the smallest step with which one of the complaints is over. err is what the server then still says.
func (w *clearing) clearOne(ctx context.Context, to *unstructured.Unstructured, refused error) (next *unstructured.Unstructured, err error) {
	for n, field := range fieldsOf(refused) {
		for tier, all := range w.e.beside(to, field) {
			some := smallest(len(all), func(some []int) bool {
				answer := w.ask(ctx, cleared(to, w.e, field, tier, some))
				return answer == nil || isBeside(answer) && complaints(answer, refused, n) < complaints(refused, refused, n)
			})
			if len(some) == 0 {
				continue
			}
			for _, i := range some {
				w.e.tell(all[i].how(), all[i].path, all[i].owners)
			}
			next = cleared(to, w.e, field, tier, some)
			return next, w.ask(ctx, next)
		}
	}
	return nil, refused
}

// errAsked ends the search in an object that has been asked about enough.
var errAsked = errors.New("the server has been asked too often")

func (w *clearing) ask(ctx context.Context, to *unstructured.Unstructured) error {
	if w.asks--; w.asks < 0 {
		return errAsked
	}
	return w.c.update(ctx, w.live, to, client.DryRunAll)
}

// cleared returns the object without some of what beside lists for a field.
func cleared(to *unstructured.Unstructured, e *expectation, field string, tier int, some []int) *unstructured.Unstructured {
	out := to.DeepCopy()
	all := e.beside(out, field)[tier]
	for _, i := range some {
		all[i].clear()
	}
	return out
}

// smallest returns which of n things it takes: one of them, or else as few as do it together. None if not even all do.
func smallest(n int, enough func(some []int) bool) (some []int) {
	for i := range n {
		if some = append(some, i); enough([]int{i}) {
			return []int{i}
		}
	}
	if n < 2 || !enough(some) {
		return nil
	}
	for i := n - 1; i >= 0; i-- {
		if fewer := slices.Delete(slices.Clone(some), i, i+1); enough(fewer) {
			some = fewer
		}
	}
	return some
}

func (w inTheWay) how() string {
	if w.reset {
		return "with the default of"
	}
	return "without"
}

var index = regexp.MustCompile(`\[\d+\]`)

// complaints counts how often an error has the complaint that is the nth of another error, at whatever place in a list.
func complaints(err, of error, n int) (count int) {
	alike := func(text string) string { return index.ReplaceAllString(text, "[]") }
	_, theirs := causesOf(of)
	what := alike(theirs[n])
	_, texts := causesOf(err)
	for _, text := range texts {
		if alike(text) == what {
			count++
		}
	}
	return count
}

// beside lists what may be in the way of a field, in the order in which it is to be tried: what stands at the field itself,
// what stands beside it, and, where it is part of an item of a list, the other items.
func (e *expectation) beside(u *unstructured.Unstructured, field string) (tiers [3][]inTheWay) {
	chain := e.walk(u, field)
	if len(chain) < 2 {
		return tiers // the object as a whole, or something that is the server's
	}
	last := chain[len(chain)-1]
	holder := chain[len(chain)-2]
	if last.there {
		tiers[0] = last.foreign(false)
	}
	if _, ok := holder.have.(map[string]any); ok && len(chain) > 2 {
		for _, p := range holder.members() {
			if p.path != last.path {
				tiers[1] = append(tiers[1], p.foreign(true)...)
			}
		}
	}
	for i := len(chain) - 2; i > 1 && i >= len(chain)-3; i-- {
		for _, p := range chain[i].items() {
			if !p.wanted && !p.planned {
				tiers[2] = append(tiers[2], p.away())
			}
		}
	}
	return tiers
}
