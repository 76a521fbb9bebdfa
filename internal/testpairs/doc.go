// Package testpairs makes pairs of releases at random, and compares what an API server holds before and after the second
// of a pair was tried and taken back. The same seed gives the same pair. Only tests import it.
//
// The folder kinds says which objects there are: for each the least that the server takes, fragments that a release may
// have or not, fragments that do not change in an object's life, and what people and controllers do to it by hand.
package testpairs
