// Package wall is the gateway's HTTP face: the API, the live event stream and
// the embedded page; it decides who may see what.
//
// Every route is registered through one function that names the action the
// route needs; one table says which role may do which action. No byte of a
// picture leaves before a durable audit row says who looks at it and why; a
// change has its row in its own transaction, or does not take place.
// Nothing that a camera or a person wrote is ever sent as markup.
//
// Lock order: Hub.mu is a leaf, and so are the mutexes of leases and
// limits; no two of them are ever held together.
package wall
