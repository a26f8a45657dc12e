#include "textflag.h"

// func prefetchLeaf(l *leaf)
TEXT ·prefetchLeaf(SB), NOSPLIT, $0-8
	MOVD l+0(FP), R0
	PRFM (R0), PLDL1KEEP
	PRFM 64(R0), PLDL1KEEP
	PRFM 128(R0), PLDL1KEEP
	PRFM 192(R0), PLDL1KEEP
	PRFM 256(R0), PLDL1KEEP
	PRFM 320(R0), PLDL1KEEP
	PRFM 384(R0), PLDL1KEEP
	PRFM 448(R0), PLDL1KEEP
	RET

// func prefetchEntries(at *[leafMax]*byte, n int)
TEXT ·prefetchEntries(SB), NOSPLIT, $0-16
	MOVD at+0(FP), R0
	MOVD n+8(FP), R1
next:
	CMP  $0, R1
	BLE  done
	MOVD.P 8(R0), R2
	PRFM (R2), PLDL1KEEP
	PRFM 64(R2), PLDL1KEEP
	SUB  $1, R1
	B    next
done:
	RET
