// Package receipt is what a site tells of itself to those who sent it a release: signed statements that travel back on the
// stick, or over a link where there is one.
//
// There are three, each an in-toto Statement v1 in the envelope that signatures of releases have too (docs/format.md,
// section 12): a receipt tells of one attempt to change the site's release, an enrolment of the site's key, and a
// standing of how the site was when a medium or a link came by. Receipts of a site are a chain: each names the digest of
// the one before.
//
// Receipts are made from the site's history after a verb has ended, so nothing waits for them, and what one could not
// write is written by the next. A Spool holds those that were made, within bounds: the oldest become counts.
package receipt
