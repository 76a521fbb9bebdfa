// Package web is the page that a technician reads in a browser: what a site runs, what happens on it now, and what to do next.
//
// It shows what apply.Site.Look tells, and does nothing by itself. What a person has it do is done by the program's own verbs, as
// processes of their own: with the same lock, the same rules and the same words, and going on when the page is stopped.
//
// # Who may read, and who may act
//
// On the loopback addresses everybody on the machine may read. At any other address nobody may without the token, and all travels
// by TLS. Whoever acts needs the token everywhere; it is exchanged for a cookie that a script cannot read and that other
// sites' requests do not carry. Only the hosts that the page was told are answered (so no name of somebody else's can be made to lead
// here), and no request that another site's page has sent changes anything (RFC 6454, and Fetch Metadata).
//
// # What is live
//
// Browsers with scripts hold one stream of server-sent events open (WHATWG HTML, section 9.2), which carries the page's state whenever
// that has changed. A browser gives one server six connections, so there are at most four streams for one client: a fifth one ends
// the first, whose page asks every ten seconds instead. Without scripts the page loads itself anew every 30 seconds.
package web
