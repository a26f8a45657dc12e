#include "textflag.h"

// func prefetchLeaf(l *leaf)
TEXT ·prefetchLeaf(SB), NOSPLIT, $0-8
	MOVQ l+0(FP), AX
	PREFETCHT0 (AX)
	PREFETCHT0 64(AX)
	PREFETCHT0 128(AX)
	PREFETCHT0 192(AX)
	PREFETCHT0 256(AX)
	PREFETCHT0 320(AX)
	PREFETCHT0 384(AX)
	PREFETCHT0 448(AX)
	RET

// func prefetchEntries(at *[leafMax]*byte, n int)
TEXT ·prefetchEntries(SB), NOSPLIT, $0-16
	MOVQ at+0(FP), AX
	MOVQ n+8(FP), CX
next:
	TESTQ CX, CX
	JLE   done
	MOVQ  (AX), DX
	PREFETCHT0 (DX)
	PREFETCHT0 64(DX)
	ADDQ  $8, AX
	DECQ  CX
	JMP   next
done:
	RET
