// Package ui holds the page as it was built into dist.
package ui
