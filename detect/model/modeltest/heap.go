//go:build cgo

package modeltest

/*
#include <malloc.h>
static size_t in_use(void) {
	struct mallinfo2 m = mallinfo2();
	return m.uordblks + m.hblkhd;
}
*/
import "C"

// CHeap is what C and C++ hold of the heap, in bytes: what was allocated and
// not freed, whatever the allocator keeps for later.
func CHeap() int { return int(C.in_use()) }
