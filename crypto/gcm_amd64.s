#include "textflag.h"

// GHASH and AES-CTR in 512-bit registers: four blocks in each, sixteen in a round of the loops.
// Needs AVX-512 F, BW, VL with VPCLMULQDQ and VAES; gcm_amd64.go asks for them.

// Reverses the bytes of a block: GHASH and CTR count from the other end.
DATA reverse<>+0(SB)/8, $0x08090a0b0c0d0e0f
DATA reverse<>+8(SB)/8, $0x0001020304050607
GLOBL reverse<>(SB), RODATA|NOPTR, $16

// GHASH's polynomial, bits reflected, as gcmH in gcm_amd64.go has it.
DATA polynomial<>+0(SB)/8, $0x0000000000000001
DATA polynomial<>+8(SB)/8, $0xc200000000000000
GLOBL polynomial<>(SB), RODATA|NOPTR, $16

// What is added to the counters of a register's blocks at first and in each step.
DATA first<>+0(SB)/8, $0
DATA first<>+8(SB)/8, $0
DATA first<>+16(SB)/8, $1
DATA first<>+24(SB)/8, $0
DATA first<>+32(SB)/8, $2
DATA first<>+40(SB)/8, $0
DATA first<>+48(SB)/8, $3
DATA first<>+56(SB)/8, $0
GLOBL first<>(SB), RODATA|NOPTR, $64
DATA four<>+0(SB)/8, $4
DATA four<>+8(SB)/8, $0
GLOBL four<>(SB), RODATA|NOPTR, $16

// func ghashGroups(acc *[16]byte, powers *[1024]byte, data *byte, groups int)
//
// acc = (acc ^ B0) H^n ^ B1 H^(n-1) ^ ... ^ B(n-1) H for up to 64 blocks at a time, in groups of 16. The products of
// all 64 are added up unreduced and reduced once: that chain of dependent instructions is what takes the time.
TEXT ·ghashGroups(SB), NOSPLIT, $0-32
	MOVQ acc+0(FP), AX
	MOVQ powers+8(FP), BX
	MOVQ data+16(FP), SI
	MOVQ groups+24(FP), CX
	VBROADCASTI32X4 reverse<>(SB), Z31
	VMOVDQU64 polynomial<>(SB), X30
	VMOVDQU (AX), X0
	VPSHUFB X31, X0, X0

more:
	// DX groups with the last DX*16 powers.
	MOVQ CX, DX
	CMPQ DX, $4
	JLE few
	MOVQ $4, DX

few:
	SUBQ DX, CX
	MOVQ DX, DI
	SHLQ $8, DI
	NEGQ DI
	LEAQ 1024(BX)(DI*1), DI
	VPXORQ Z5, Z5, Z5
	VPXORQ Z6, Z6, Z6
	VPXORQ Z7, Z7, Z7
	VPXORQ Z20, Z20, Z20

group:
	VMOVDQU64 (SI), Z1
	VMOVDQU64 64(SI), Z2
	VMOVDQU64 128(SI), Z3
	VMOVDQU64 192(SI), Z4
	VMOVDQU64 (DI), Z16
	VMOVDQU64 64(DI), Z17
	VMOVDQU64 128(DI), Z18
	VMOVDQU64 192(DI), Z19
	VPSHUFB Z31, Z1, Z1
	VPSHUFB Z31, Z2, Z2
	VPSHUFB Z31, Z3, Z3
	VPSHUFB Z31, Z4, Z4
	VPXORQ Z0, Z1, Z1
	VPXORQ Z0, Z0, Z0

	// The low, the high and the two middle products of each register.
	VPCLMULQDQ $0x00, Z16, Z1, Z8
	VPCLMULQDQ $0x11, Z16, Z1, Z9
	VPCLMULQDQ $0x01, Z16, Z1, Z10
	VPCLMULQDQ $0x10, Z16, Z1, Z11
	VPCLMULQDQ $0x00, Z17, Z2, Z12
	VPCLMULQDQ $0x11, Z17, Z2, Z13
	VPCLMULQDQ $0x01, Z17, Z2, Z14
	VPCLMULQDQ $0x10, Z17, Z2, Z15
	VPTERNLOGQ $0x96, Z8, Z12, Z5
	VPTERNLOGQ $0x96, Z9, Z13, Z6
	VPTERNLOGQ $0x96, Z10, Z14, Z7
	VPTERNLOGQ $0x96, Z11, Z15, Z20
	VPCLMULQDQ $0x00, Z18, Z3, Z21
	VPCLMULQDQ $0x11, Z18, Z3, Z22
	VPCLMULQDQ $0x01, Z18, Z3, Z23
	VPCLMULQDQ $0x10, Z18, Z3, Z24
	VPCLMULQDQ $0x00, Z19, Z4, Z25
	VPCLMULQDQ $0x11, Z19, Z4, Z26
	VPCLMULQDQ $0x01, Z19, Z4, Z27
	VPCLMULQDQ $0x10, Z19, Z4, Z28
	VPTERNLOGQ $0x96, Z21, Z25, Z5
	VPTERNLOGQ $0x96, Z22, Z26, Z6
	VPTERNLOGQ $0x96, Z23, Z27, Z7
	VPTERNLOGQ $0x96, Z24, Z28, Z20
	ADDQ $256, SI
	ADDQ $256, DI
	DECQ DX
	JNZ group

	// The middle products belong half to the low and half to the high ones.
	VPXORQ Z20, Z7, Z7
	VPSLLDQ $8, Z7, Z8
	VPSRLDQ $8, Z7, Z7
	VPXORQ Z8, Z5, Z5
	VPXORQ Z7, Z6, Z6

	// Add up the four blocks of a register.
	VEXTRACTI64X4 $1, Z5, Y8
	VEXTRACTI64X4 $1, Z6, Y9
	VPXOR Y8, Y5, Y5
	VPXOR Y9, Y6, Y6
	VEXTRACTI128 $1, Y5, X8
	VEXTRACTI128 $1, Y6, X9
	VPXOR X8, X5, X5
	VPXOR X9, X6, X6

	// Reduce: fold the low half twice.
	VPCLMULQDQ $0x01, X5, X30, X8
	VPSHUFD $78, X5, X5
	VPXOR X8, X5, X5
	VPCLMULQDQ $0x01, X5, X30, X8
	VPSHUFD $78, X5, X5
	VPXOR X8, X5, X5
	VPXOR X6, X5, X0

	TESTQ CX, CX
	JNZ more

	VPSHUFB X31, X0, X0
	VMOVDQU X0, (AX)
	VZEROUPPER
	RET

#define ROUND(key) \
	VAESENC key, Z1, Z1; \
	VAESENC key, Z2, Z2; \
	VAESENC key, Z3, Z3; \
	VAESENC key, Z4, Z4

#define LAST(key) \
	VAESENCLAST key, Z1, Z1; \
	VAESENCLAST key, Z2, Z2; \
	VAESENCLAST key, Z3, Z3; \
	VAESENCLAST key, Z4, Z4

// func ctrGroups(keys *[240]byte, rounds int, counter *[16]byte, buf *byte, groups int)
//
// XORs buf with the encrypted counters; the last 32 bits count, counter stays as it is. rounds is 10 or 14.
TEXT ·ctrGroups(SB), NOSPLIT, $0-40
	MOVQ keys+0(FP), BX
	MOVQ rounds+8(FP), DX
	MOVQ counter+16(FP), AX
	MOVQ buf+24(FP), SI
	MOVQ groups+32(FP), CX
	VBROADCASTI32X4 reverse<>(SB), Z31
	VBROADCASTI32X4 four<>(SB), Z0
	VBROADCASTI32X4 (AX), Z5
	VPSHUFB Z31, Z5, Z5
	VPADDD first<>(SB), Z5, Z5
	VBROADCASTI32X4 (BX), Z16
	VBROADCASTI32X4 16(BX), Z17
	VBROADCASTI32X4 32(BX), Z18
	VBROADCASTI32X4 48(BX), Z19
	VBROADCASTI32X4 64(BX), Z20
	VBROADCASTI32X4 80(BX), Z21
	VBROADCASTI32X4 96(BX), Z22
	VBROADCASTI32X4 112(BX), Z23
	VBROADCASTI32X4 128(BX), Z24
	VBROADCASTI32X4 144(BX), Z25
	VBROADCASTI32X4 160(BX), Z26
	VBROADCASTI32X4 176(BX), Z27
	VBROADCASTI32X4 192(BX), Z28
	VBROADCASTI32X4 208(BX), Z29
	VBROADCASTI32X4 224(BX), Z30

ctr:
	VPADDD Z0, Z5, Z6
	VPADDD Z0, Z6, Z7
	VPADDD Z0, Z7, Z8
	VPSHUFB Z31, Z5, Z1
	VPSHUFB Z31, Z6, Z2
	VPSHUFB Z31, Z7, Z3
	VPSHUFB Z31, Z8, Z4
	VPADDD Z0, Z8, Z5
	VPXORQ Z16, Z1, Z1
	VPXORQ Z16, Z2, Z2
	VPXORQ Z16, Z3, Z3
	VPXORQ Z16, Z4, Z4
	ROUND(Z17)
	ROUND(Z18)
	ROUND(Z19)
	ROUND(Z20)
	ROUND(Z21)
	ROUND(Z22)
	ROUND(Z23)
	ROUND(Z24)
	ROUND(Z25)
	CMPQ DX, $10
	JNE longer
	LAST(Z26)

xor:
	VPXORQ (SI), Z1, Z1
	VPXORQ 64(SI), Z2, Z2
	VPXORQ 128(SI), Z3, Z3
	VPXORQ 192(SI), Z4, Z4
	VMOVDQU64 Z1, (SI)
	VMOVDQU64 Z2, 64(SI)
	VMOVDQU64 Z3, 128(SI)
	VMOVDQU64 Z4, 192(SI)
	ADDQ $256, SI
	DECQ CX
	JNZ ctr
	VZEROUPPER
	RET

longer:
	ROUND(Z26)
	ROUND(Z27)
	ROUND(Z28)
	ROUND(Z29)
	LAST(Z30)
	JMP xor

// func subWord(w uint32) uint32
//
// AES's S-box for four bytes. Equal columns make ShiftRows do nothing; the key is zero.
TEXT ·subWord(SB), NOSPLIT, $0-12
	MOVL w+0(FP), AX
	MOVQ AX, X0
	PSHUFD $0, X0, X0
	PXOR X1, X1
	AESENCLAST X1, X0
	MOVQ X0, AX
	MOVL AX, ret+8(FP)
	RET
