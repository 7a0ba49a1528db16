// Package webhook tells a receiver of leads by HTTPS: one CloudEvent 1.0 in
// structured mode a POST, signed as Standard Webhooks 1.0.0.
//
// It follows no redirect, reads no more of an answer than it needs, and
// connects only where the allowlist says: names are resolved first and the
// address itself is checked, so that a name cannot lead elsewhere meanwhile.
package webhook
