// Package inspect tells what a bundle holds, from the front of it alone, and what changes from one bundle to another. It
// needs no key and no trust: what it tells is what the bundle says of itself.
package inspect
